// This project's scheduler for several devices: simulated annealing that takes one operator out of the schedule and
// puts it back where the longest path through it is shortest. If whole schedules are measured or known, it returns the
// fastest known one for these devices or fewer.
//
// Once an operator is out, the heads and rests of the remaining stages give the exact makespan for every device,
// position and stage that it could go to, each from a handful of numbers (the idea behind Mastrolilli and Gambardella's
// neighbourhoods for the flexible job shop, 2000). So one step examines all of them.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>

#include "core/cost/bounds.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/hios/hios.hpp"
#include "schedulers/options.hpp"
#include "schedulers/scheduler.hpp"
#include "schedulers/split/split_option.hpp"

namespace opsched {
namespace {

using Clock = std::chrono::steady_clock;

struct ReinsertSettings {
  int window;
  std::int64_t iterations;
  double seconds;
  std::uint64_t seed;
};

class Reinsertion {
 public:
  Reinsertion(const HiosProblem& problem, StageCost& cost, const ReinsertSettings& settings, const Progress& progress)
      : problem_(problem), cost_(cost), settings_(settings), progress_(progress), random_(settings.seed) {
    if (problem.cost().bounds_hold()) bound_ = lower_bounds(problem.cost(), problem.devices()).lower();
  }

  StageGraph run() {
    StageGraph graph = start(settings_.window);
    anneal(graph, settings_.iterations);
    if (!cost_.estimates()) return graph;
    // Estimates are replaced by measurements, and the search continues from there until its result needs no estimates.
    constexpr int rounds = 8;
    StageGraph best = start(1);
    for (int round = 0; round < rounds; ++round) {
      const bool news = graph.confirm();
      if (graph.makespan() < best.makespan()) best = graph;
      if (!news) break;
      anneal(graph, settings_.iterations / rounds);
    }
    return best;
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  int below(std::size_t n) { return static_cast<int>(random_() % n); }
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  bool late() const { return elapsed() >= settings_.seconds; }
  /// Estimated from the steps since the annealing began.
  std::string time_left(std::int64_t done, std::int64_t all) {
    if (done == 0) annealing_since_ = elapsed();
    if (done == 0) return "";
    const double rate = (elapsed() - annealing_since_) / static_cast<double>(done);
    const double left = std::min(rate * static_cast<double>(all - done), settings_.seconds - elapsed());
    return ", at most " + std::to_string(std::llround(std::max(left, 0.0)) + 1) + " s left";
  }

  StageGraph start(int window) {
    StageGraph best(problem_, cost_);
    bool is_first = true;
    for (auto* place : {hios_lp_orders, hios_mr_orders, heft_orders, one_device_orders}) {
      StageGraph graph(problem_, cost_);
      graph.assign(place(problem_));
      fuse_windows(graph, window);
      if (is_first || graph.makespan() < best.makespan()) best = graph;
      is_first = false;
    }
    return best;
  }

  /// Anneals from `best` and leaves the best schedule seen there. Initially, moves that cost half an operator are
  /// accepted with probability 1/e.
  void anneal(StageGraph& best, std::int64_t iterations) {
    double work = 0;
    for (int v = 0; v < problem_.size(); ++v) work += problem_.ms(v);
    const double hottest = 0.5 * work / problem_.size();
    StageGraph graph = best;
    for (std::int64_t i = 0; i < iterations; ++i) {
      if (best.makespan() <= bound_ * (1 + 1e-12)) return;
      if (i % 64 == 0 && late()) return;
      if (progress_ && i % 1024 == 0)
        progress_("reinsert: step " + std::to_string(i) + " of " + std::to_string(iterations) +
                  time_left(i, iterations) + ", " + std::to_string(best.makespan()) + " ms");
      const double heat = hottest * (1 - static_cast<double>(i) / static_cast<double>(iterations));
      step(graph, heat);
      if (graph.makespan() < best.makespan()) best = graph;
    }
  }

  void step(StageGraph& graph, double heat) {
    const double before = graph.makespan();
    const int op = pick(graph);
    const StageGraph::Place home = graph.remove(op);
    StageGraph::Place best;
    best.length = HUGE_VAL;
    int alike = 0;
    graph.places(op, settings_.window, best.length, [&](const StageGraph::Place& place) {
      if (place.device == home.device && place.into == home.into && place.after == home.after) return;
      if (place.length > best.length) return;
      alike = place.length == best.length ? alike + 1 : 1;
      if (below(alike) == 0) best = place;
    });
    const double growth = std::max(graph.makespan(), best.length) - before;
    const bool move = alike > 0 && (growth <= 0 || uniform() < std::exp(-growth / heat));
    graph.insert(op, move ? best : home);
  }

  /// Picks an operator, usually on a longest path: moving any other one cannot shorten the schedule.
  int pick(const StageGraph& graph) {
    if (below(10) == 0) return below(problem_.size());
    candidates_.clear();
    for (int s = 0; s < problem_.size(); ++s) {
      const StageGraph::Node& node = graph.node(s);
      if (node.size == 0 || node.head + node.tail() < graph.makespan() * (1 - 1e-9)) continue;
      for (int v = node.op; v >= 0; v = graph.next_op(v)) candidates_.push_back(v);
    }
    return candidates_[below(candidates_.size())];
  }

  const HiosProblem& problem_;
  StageCost& cost_;
  ReinsertSettings settings_;
  const Progress& progress_;
  std::mt19937_64 random_;
  Clock::time_point begin_ = Clock::now();
  double bound_ = 0;
  double annealing_since_ = 0;  ///< s
  std::vector<int> candidates_;
};

/// The time of a move is proportional to the number of operators, so large graphs get fewer moves.
int default_iterations(int operators) {
  constexpr int most = 40'000;
  return std::clamp(std::min(150 * operators, most * 2000 / std::max(operators, 1)), 2500, most);
}

/// The search assumes that transfers never wait for each other. If they do, its result may be slower than a schedule
/// with fewer transfers, such as one of its starting points on these devices or fewer: use that one then.
void prefer_less_traffic(const SchedulerRequest& request, int window, Candidate& best) {
  for (int devices = request.devices; devices >= 1; devices /= 2) {
    const HiosProblem problem(request.cost, devices);
    for (auto* place : {hios_lp_orders, hios_mr_orders, heft_orders})
      for (const int width : {1, window}) {
        Candidate other = staged(problem, place(problem), width);
        other.schedule.devices.resize(request.devices);
        other.makespan = simulate(request.cost, other.schedule).timeline.makespan;
        if (other.makespan < best.makespan) best = std::move(other);
      }
  }
}

Schedule make_reinsert(const SchedulerRequest& request) {
  const HiosProblem problem(request.cost, request.devices);
  const OptionReader options(request.options);
  const ReinsertSettings settings{.window = options.integer("window", 3, 1),
                                  .iterations = options.integer("iterations", default_iterations(problem.size()), 0),
                                  .seconds = options.real("seconds", HUGE_VAL, 0),
                                  .seed = static_cast<std::uint64_t>(options.integer("seed", 1, 0))};
  StageCost cost(problem, request.cost.measures());
  if (problem.size() == 0) return StageGraph(problem, cost).schedule();
  const StageGraph found = Reinsertion(problem, cost, settings, request.progress).run();
  if (problem.devices() == 1) return found.schedule();
  Candidate best{found.schedule(), found.makespan()}, alone = on_one_device(problem, 1);
  // The simulator also models contention on links, and operators without stages.
  for (Candidate* c : {&best, &alone}) c->makespan = simulate(request.cost, c->schedule).timeline.makespan;
  if (std::isfinite(request.cost.contention_law().transfer_latency_ms))
    prefer_less_traffic(request, settings.window, best);
  Fastest choice(request.cost);
  choice.offer(std::move(best.schedule), best.makespan);
  alone.schedule.devices.resize(1);
  choice.offer(std::move(alone.schedule), alone.makespan);
  // The simulator is not reliable across modes, so only measured latencies count.
  const auto offer_on_one = [&](const char* scheduler, const SchedulerOptions& its) {
    choice.offer(
        make_schedule(scheduler, {.cost = request.cost, .devices = 1, .options = its, .progress = request.progress}));
  };
  if (request.cost.measures()) {
    offer_on_one("dataflow", {});
    offer_on_one("reinsert", request.options);
  }
  for (Schedule& known : request.cost.known_schedules(problem.devices())) choice.offer(std::move(known));
  Schedule answer = choice.schedule();
  answer.scheduler.clear();
  answer.devices.resize(problem.devices());
  return answer;
}

}  // namespace

SchedulerInfo reinsert_scheduler() {
  return with_split_option(
      {.name = "reinsert",
       .summary = "starts from hios-lp, hios-mr and heft, and moves single operators by simulated annealing",
       .max_devices = 0,
       .options = {{"window", "maximum number of operators in a stage (default 3)"},
                   {"iterations",
                    "number of moves (default 150 per operator, but 2500 to 40000, fewer above 2000 operators)"},
                   {"seconds", "time limit; results then depend on the machine (default: no limit)"},
                   {"seed", "seed of the random moves (default 1)"}},
       .make = make_reinsert});
}

}  // namespace opsched

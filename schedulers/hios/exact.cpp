// Branch and bound over partial schedules, stage by stage in the order of their start.
#include "schedulers/hios/exact.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "schedulers/hios/stage_cost.hpp"
#include "schedulers/options.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

using Set = std::uint32_t;  ///< of operators

class BranchAndBound {
 public:
  BranchAndBound(const HiosProblem& problem, int window, std::int64_t most_nodes)
      : problem_(problem),
        cost_(problem),
        window_(window),
        most_nodes_(most_nodes),
        devices_(problem.devices()),
        preds_(problem.size(), 0),
        tail_(problem.size(), 0.0),
        work_(problem.size(), 0.0) {
    for (int v = problem.size() - 1; v >= 0; --v) {
      for (const auto [from, edge] : problem.preds(v)) preds_[v] |= Set{1} << from;
      for (const auto [to, edge] : problem.succs(v)) tail_[v] = std::max(tail_[v], tail_[to]);
      tail_[v] += problem.ms(v);
      work_[v] = problem.cost().work_ms(problem.op(v));
    }
  }

  /// Searches for something shorter than `best`; returns whether it exists.
  bool run(double best) {
    best_ = best;
    State state;
    state.free.assign(devices_, 0.0);
    state.arrival.assign(static_cast<std::size_t>(problem_.size()) * devices_, 0.0);
    extend(state);
    return !best_stages_.empty();
  }
  double makespan() const { return best_; }
  std::int64_t nodes() const { return nodes_; }
  Schedule schedule() {
    Schedule schedule;
    schedule.devices.resize(devices_);
    for (const auto& [device, set] : best_stages_) schedule.devices[device].stages.push_back(cost_.stage(members(set)));
    return schedule;
  }

 private:
  struct State {
    Set done = 0;
    double last_start = 0, makespan = 0;
    int used = 0;                 ///< devices 0..used-1 have operators (where all links are alike)
    std::vector<double> free;     ///< by device: earliest start of another stage
    std::vector<double> arrival;  ///< by operator and device: arrival of all inputs done so far
  };
  struct Step {
    int device;
    Set ops;
  };

  std::vector<int> members(Set set) const {
    std::vector<int> list;
    for (; set; set &= set - 1) list.push_back(std::countr_zero(set));
    return list;
  }
  double arrival(const State& state, int v, int device) const { return state.arrival[v * devices_ + device]; }

  /// Lower bound on the makespan of all schedules that continue from here.
  double bound(const State& state) {
    double free = 0, work = 0, least = state.makespan;
    for (double ms : state.free) free += ms;
    earliest_.assign(problem_.size(), 0.0);
    for (int v = 0; v < problem_.size(); ++v) {
      if (state.done >> v & 1) continue;
      work += work_[v];
      double start = state.free[0] + 1e300;
      for (int device = 0; device < devices_; ++device)
        start = std::min(start, std::max(state.free[device], arrival(state, v, device)));
      for (const auto [from, edge] : problem_.preds(v))
        if (!(state.done >> from & 1)) start = std::max(start, earliest_[from] + problem_.ms(from));
      earliest_[v] = start;
      least = std::max(least, start + tail_[v]);
    }
    return std::max(least, (free + work) / devices_);
  }

  /// True if a known state with the same operators done is at least as good in every respect; otherwise stores this
  /// state.
  bool is_dominated(const State& state) {
    std::vector<std::vector<double>> columns(devices_);  // one per device
    for (int device = 0; device < devices_; ++device) {
      columns[device].push_back(state.free[device]);
      for (int v = 0; v < problem_.size(); ++v)
        if (!(state.done >> v & 1)) columns[device].push_back(std::max(arrival(state, v, device), state.free[device]));
    }
    if (problem_.uniform()) std::ranges::sort(columns);  // the devices are interchangeable
    std::vector<double> times{state.makespan};
    for (const auto& column : columns) times.insert(times.end(), column.begin(), column.end());
    auto& seen = seen_[state.done];
    const auto no_later = [](const std::vector<double>& a, const std::vector<double>& b) {
      for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] > b[i] + 1e-12) return false;
      return true;
    };
    if (std::ranges::any_of(seen, [&](const auto& other) { return no_later(other, times); })) return true;
    std::erase_if(seen, [&](const auto& other) { return no_later(times, other); });
    seen.push_back(std::move(times));
    return false;
  }

  void extend(const State& state) {
    if (++nodes_ > most_nodes_)
      throw Error("graph '" + problem_.cost().graph().name() + "': no optimum found within " +
                  std::to_string(most_nodes_) + " partial schedules; raise option 'nodes' or use fewer operators");
    const Set all = (Set{1} << problem_.size()) - 1;
    if (state.done == all) {
      if (state.makespan < best_ * (1 - 1e-12)) {
        best_ = state.makespan;
        best_stages_ = steps_;
      }
      return;
    }
    std::vector<std::pair<double, std::pair<Step, State>>> next;
    grow(state, 0, 0, next);
    std::ranges::stable_sort(next, {}, [](const auto& entry) { return entry.first; });
    for (auto& [least, entry] : next) {
      if (least >= best_ * (1 - 1e-12)) break;
      if (is_dominated(entry.second)) continue;
      steps_.push_back(entry.first);
      extend(entry.second);
      steps_.pop_back();
    }
  }

  /// Tries all stages that contain `stage` and operators from `first` on, on every device.
  template <class Next>
  void grow(const State& state, Set stage, int first, Next& next) {
    if (stage != 0) place(state, stage, next);
    if (std::popcount(stage) == window_) return;
    for (int v = first; v < problem_.size(); ++v)
      if (!(state.done >> v & 1) && (preds_[v] & ~(state.done | stage)) == 0)
        grow(state, stage | Set{1} << v, v + 1, next);
  }

  template <class Next>
  void place(const State& state, Set stage, Next& next) {
    const std::vector<int> ops = members(stage);
    const double ms = cost_(ops);
    const int last = problem_.uniform() ? std::min(devices_, state.used + 1) : devices_;
    for (int device = 0; device < last; ++device) {
      double start = state.free[device];
      for (int v : ops) start = std::max(start, arrival(state, v, device));
      const double end = start + ms;
      if (end >= best_ * (1 - 1e-12)) continue;
      State after = state;
      after.done |= stage;
      after.last_start = start;
      after.makespan = std::max(state.makespan, end);
      after.used = std::max(state.used, device + 1);
      after.free[device] = end;
      // Stages are generated in the order of their start.
      for (double& free : after.free) free = std::max(free, start);
      for (int v : ops)
        for (const auto [to, edge] : problem_.succs(v))
          for (int d = 0; d < devices_; ++d) {
            double& arrives = after.arrival[to * devices_ + d];
            arrives = std::max(arrives, end + problem_.transfer(edge, device, d));
          }
      const double least = bound(after);
      if (least < best_ * (1 - 1e-12)) next.emplace_back(least, std::pair(Step{device, stage}, std::move(after)));
    }
  }

  const HiosProblem& problem_;
  StageCost cost_;
  int window_;
  std::int64_t most_nodes_, nodes_ = 0;
  int devices_;
  std::vector<Set> preds_;
  std::vector<double> tail_, work_, earliest_;
  std::unordered_map<Set, std::vector<std::vector<double>>> seen_;
  std::vector<Step> steps_, best_stages_;
  double best_ = 0;
};

}  // namespace

Optimum find_optimum(const HiosProblem& problem, int window, const Schedule& start, std::int64_t most_nodes) {
  if (!problem.cost().bounds_hold())
    throw Error(
        "an optimum can be proved only where costs give true lower bounds, as synthetic ones do; those of graph '" +
        problem.cost().graph().name() + "' are estimates");
  if (problem.size() > 20)
    throw Error("an optimum can be proved for at most 20 operators; graph '" + problem.cost().graph().name() +
                "' has " + std::to_string(problem.size()));
  BranchAndBound search(problem, window, most_nodes);
  Optimum optimum{start, evaluate(problem.cost(), start).makespan, 0};
  if (search.run(optimum.makespan)) optimum = {search.schedule(), search.makespan(), 0};
  optimum.nodes = search.nodes();
  return optimum;
}

namespace {

Schedule make_exact(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const int window = options.limit("window", std::numeric_limits<int>::max(), 1);
  const int most_nodes = options.limit("nodes", 1'000'000, 1);
  SchedulerOptions reinsert_options;
  if (request.options.contains("window")) reinsert_options["window"] = std::to_string(window);
  const Schedule start = make_schedule(
      "reinsert", {.cost = request.cost, .devices = request.devices, .options = reinsert_options, .progress = {}});
  return find_optimum(HiosProblem(request.cost, request.devices), window, start, most_nodes).schedule;
}

}  // namespace

SchedulerInfo exact_scheduler() {
  return {.name = "exact",
          .summary = "the optimal makespan, proved by branch and bound; synthetic costs only",
          .max_devices = 0,
          .max_operators = 12,
          .options = {{"window", "maximum number of operators in a stage, or 'unlimited' (default)"},
                      {"nodes", "maximum number of partial schedules, or 'unlimited' (default 1000000)"}},
          .make = make_exact};
}

}  // namespace opsched

// dataflow-search: searches dataflow schedules over the assignment of operators to streams, the number of streams,
// launch order and priorities. A contention model proposes candidates, and measurements of whole schedules decide.
#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/cost_snapshot.hpp"
#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/moves.hpp"
#include "schedulers/dataflow/priorities.hpp"
#include "schedulers/dataflow/seeds.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

// Required gain over plain dataflow: the difference between repeated measurements of one schedule.
constexpr double kWorthwhile = 0.002;
// Number of plans from which local searches start.
constexpr int kClimbs = 4;
// Changed schedules that are measured together, small changes in each, and how much slower than the schedule before the
// change the model may expect them to be.
constexpr int kMovesTogether = 6;
constexpr int kMostChanges = 3;
constexpr double kPromising = 1.02;
// Unless the caller says how many to measure: at most this many, and for slow networks as many as take this long
// together if each runs once.
constexpr int kMostMoves = 240;
constexpr double kMovesMs = 240;

struct Settings {
  int streams, tries, verify;
  int moves;  ///< -1: by the latency
  bool priority, ios;
  std::uint64_t seed;
};

struct Proposal {
  std::string family;
  DataflowPlan plan;
  double ms;  ///< simulated
};

class DataflowSearch {
 public:
  DataflowSearch(const SchedulerRequest& request, const Settings& settings)
      : request_(request),
        settings_(settings),
        graph_(request.cost.graph()),
        costs_(request.cost),
        best_(request.cost) {}

  Schedule run() {
    plain_ = ask("dataflow", {{"streams", std::to_string(settings_.streams)}});
    offer(plain_);
    const bool measures = settings_.verify > 0 && request_.cost.measures();
    if (measures) {
      propose();
      verify_plans();
      verify_variants();
      measure_moves();
    }
    if (settings_.verify > 0) consider_known();
    if (!best_.empty()) {
      const double plain_ms = request_.cost.schedule_ms(plain_).value_or(std::numeric_limits<double>::infinity());
      return best_.ms() < (1 - kWorthwhile) * plain_ms ? best_.schedule() : plain_;
    }
    if (!measures) propose();
    return schedule_of(graph_, proposals_.front().plan);
  }

 private:
  Schedule ask(const std::string& scheduler, const SchedulerOptions& options) {
    return make_schedule(scheduler, {.cost = request_.cost,
                                     .devices = 1,
                                     .options = options,
                                     .progress = request_.progress,
                                     .note = request_.note});
  }

  void offer(const Schedule& schedule) const {
    if (request_.found) request_.found(schedule);
  }

  void report(const std::string& what) const {
    if (request_.progress) request_.progress(what);
  }

  double simulated(const DataflowPlan& plan) {
    return simulated_ms(costs_, costs_.contention_law(), schedule_of(graph_, plan));
  }

  DataflowPlan climb(const DataflowPlan& from, int tries, std::uint64_t seed) {
    int tried = 0;
    const auto ms = [&](const DataflowPlan& plan) {
      if (tried++ % 100 == 0) report("changing a schedule: " + std::to_string(tried) + " of " + std::to_string(tries));
      return simulated(plan);
    };
    const DataflowPlan plan =
        improved(graph_, from, ms, {.tries = tries, .most_streams = settings_.streams, .seed = settings_.seed + seed});
    return relaunched(graph_, plan, by_unit(plan, remaining_));  // the simulator does not model launch order
  }

  /// Collects plans and sorts them by simulated latency, best first.
  void propose() {
    remaining_ = launch_keys(costs_).front().key;
    for (DataflowSeed& seed : dataflow_seeds(costs_, settings_.streams)) {
      const double ms = simulated(seed.plan);
      proposals_.push_back({std::move(seed.family), std::move(seed.plan), ms});
      report("simulating schedules: " + std::to_string(proposals_.size()));
    }
    const DataflowPlan plain = plan_of(graph_, plain_);
    proposals_.push_back({"opara", plain, simulated(plain)});
    if (settings_.ios) add_stages();
    const auto by_ms = [](const Proposal& c) { return c.ms; };
    std::ranges::stable_sort(proposals_, {}, by_ms);
    if (best_.empty()) offer(schedule_of(graph_, proposals_.front().plan));
    // A local search starts from the best plan of every family before any starts from a second one.
    const std::vector<std::size_t> starts = mixed(kClimbs);
    const int tries = settings_.tries * static_cast<int>(graph_.units().size()) / kClimbs;
    std::vector<Proposal> found;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      DataflowPlan plan = climb(proposals_[starts[i]].plan, tries, i);
      const double ms = simulated(plan);
      found.push_back({"climbed", std::move(plan), ms});
    }
    std::ranges::move(found, std::back_inserter(proposals_));
    std::ranges::stable_sort(proposals_, {}, by_ms);
  }

  /// Adds the stages of IOS without barriers, if they need no more streams than allowed.
  void add_stages() {
    Schedule stages;
    try {
      stages = ask("ios-dataflow", {{"streams", std::to_string(std::min(settings_.streams, 1024))}});
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {  // one seed less
      if (request_.note) request_.note(std::string("without the stages of ios-dataflow: ") + e.what());
      return;
    }
    DataflowPlan plan = plan_of(graph_, stages);
    if (*std::ranges::max_element(plan.stream) >= settings_.streams) return;
    const double ms = simulated(plan);
    proposals_.push_back({"ios", std::move(plan), ms});
  }

  /// Indices of proposals, which are sorted: the best of every family, then the second of each, and so on.
  std::vector<std::size_t> mixed(std::size_t most) const {
    std::vector<std::pair<int, std::size_t>> ranked;  // rank within its family
    std::map<std::string, int> seen;
    for (std::size_t i = 0; i < proposals_.size(); ++i) ranked.emplace_back(seen[proposals_[i].family]++, i);
    std::ranges::sort(ranked);
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < std::min(most, ranked.size()); ++i) indices.push_back(ranked[i].second);
    return indices;
  }

  /// Compares schedules not yet compared, at most `budget` in all, by whole-schedule latency. A faster one must gain
  /// more than the fraction `margin`.
  void compare(const std::vector<Schedule>& schedules, int budget, double margin = 0) {
    std::vector<Schedule> fresh;
    for (const Schedule& schedule : schedules) {
      if (compared_ + static_cast<int>(fresh.size()) >= budget) break;
      if (seen_.insert(fingerprint(schedule)).second) fresh.push_back(schedule);
    }
    compared_ += static_cast<int>(fresh.size());
    if (fresh.empty()) return;
    report("comparing whole schedules: " + std::to_string(compared_) +
           (best_.empty() ? "" : ", best " + std::to_string(best_.ms()) + " ms"));
    request_.cost.prefetch_schedules(fresh);
    for (Schedule& schedule : fresh)
      if (best_.offer(std::move(schedule), {}, margin)) offer(best_.schedule());
  }

  void verify_plans() {
    std::vector<Schedule> schedules = {plain_};
    for (std::size_t i : mixed(std::max(1, settings_.verify / 2)))
      schedules.push_back(schedule_of(graph_, proposals_[i].plan));
    schedules.resize(std::min<std::size_t>(schedules.size(), std::max(1, settings_.verify / 2)));
    compare(schedules, settings_.verify);
  }

  /// Variants around the best, including those that the model does not distinguish, as long as they help.
  void verify_variants() {
    const std::vector<LaunchKey> keys = launch_keys(costs_);
    const std::vector<PriorityRule> rules = settings_.priority ? priority_rules(costs_) : std::vector<PriorityRule>{};
    for (std::uint64_t round = 1; !best_.empty() && compared_ < settings_.verify; ++round) {
      const double before = best_.ms();
      const std::vector<int> priority = best_.schedule().priority;
      const DataflowPlan plan = plan_of(graph_, best_.schedule());
      std::vector<Schedule> variants;
      const auto add = [&](const DataflowPlan& variant, const std::vector<int>& levels) {
        variants.push_back(schedule_of(graph_, variant));
        variants.back().priority = levels;
      };
      for (const PriorityRule& rule : rules) add(plan, rule.priority);
      for (const LaunchKey& rule : keys) add(relaunched(graph_, plan, by_unit(plan, rule.key)), priority);
      const int tries = settings_.tries * static_cast<int>(graph_.units().size()) / (2 * kClimbs);
      for (std::uint64_t i = 0; i < 2; ++i) add(climb(plan, tries, kClimbs + 2 * round + i), priority);
      compare(variants, settings_.verify);
      if (best_.ms() >= before) break;
    }
  }

  /// Small changes of the best schedule, without those that the model expects to be much slower. The model cannot tell
  /// them apart, so all others are measured.
  void measure_moves() {
    if (best_.empty()) return;
    std::mt19937_64 random(settings_.seed);
    const int by_latency = static_cast<int>(std::min<double>(kMostMoves, kMovesMs / best_.ms()));
    const int budget = compared_ + (settings_.moves < 0 ? by_latency : settings_.moves);
    while (compared_ < budget) {
      const DataflowPlan plan = plan_of(graph_, best_.schedule());
      const double slowest = kPromising * simulated(plan);
      std::vector<Schedule> variants;
      for (int i = 0; i < 20 * kMovesTogether && std::ssize(variants) < kMovesTogether; ++i) {
        const int changes = 1 + static_cast<int>(random() % kMostChanges);
        const DataflowPlan next = changed(graph_, plan, changes, settings_.streams, random);
        if (simulated(next) > slowest) continue;
        Schedule variant = schedule_of(graph_, next);
        variant.priority = best_.schedule().priority;
        if (!seen_.contains(fingerprint(variant))) variants.push_back(std::move(variant));
      }
      if (variants.empty()) return;
      compare(variants, budget, kWorthwhile / 2);
    }
  }

  /// Considers schedules that were measured before, here or in another run of the search.
  void consider_known() {
    for (Schedule& schedule : request_.cost.known_schedules(1)) {
      std::size_t streams = 0;
      for (const Stage& stage : schedule.devices.front().stages) streams = std::max(streams, stage.groups.size());
      if (schedule.mode != Mode::dataflow || static_cast<int>(streams) > settings_.streams) continue;
      if (!settings_.priority && !schedule.priority.empty()) continue;
      best_.offer(std::move(schedule));
    }
  }

  const SchedulerRequest& request_;
  Settings settings_;
  const Graph& graph_;
  CostSnapshot costs_;
  std::vector<double> remaining_;
  Schedule plain_;
  std::vector<Proposal> proposals_;
  std::set<std::string> seen_;
  int compared_ = 0;
  Fastest best_;
};

Schedule make_search(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const Settings settings{.streams = options.integer("streams", 16, 1, 1024),
                          .tries = options.integer("tries", 20, 0, 100'000),
                          .verify = options.integer("verify", 24, 0, 1000),
                          .moves = options.integer("moves", -1, 0, 100'000),
                          .priority = options.choice("priority", "yes", {"yes", "no"}) == "yes",
                          .ios = options.choice("ios", "yes", {"yes", "no"}) == "yes",
                          .seed = static_cast<std::uint64_t>(options.integer("seed", 1, 0))};
  return DataflowSearch(request, settings).run();
}

}  // namespace

SchedulerInfo dataflow_search_scheduler() {
  return {.name = "dataflow-search",
          .summary = "searches streams, launch orders and priorities without barriers, and compares whole schedules",
          .max_devices = 1,
          .options = {{"streams", "maximum number of streams (default 16)"},
                      {"tries", "simulated moves per operator (default 20)"},
                      {"verify",
                       "maximum number of whole schedules to compare, by measuring or by recorded latencies (default "
                       "24; 0: use the model only)"},
                      {"moves",
                       "then, number of small changes of the fastest schedule to measure (default: 240 for networks "
                       "of up to 1 ms, fewer for slower ones)"},
                      {"priority", "yes (default): also try kernel priorities; no"},
                      {"ios", "yes (default): also start from the stages of ios-both; no"},
                      {"seed", "seed of the random moves (default 1)"}},
          .make = make_search};
}

}  // namespace opsched

// Our own scheduler, compared with the optimum.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "networks/network.hpp"
#include "schedulers/hios/exact.hpp"
#include "schedulers/hios/stage_cost.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/device_cost.hpp"
#include "tests/support/random_dags.hpp"

namespace opsched {
namespace {

double makespan_of(CostModel& cost, const std::string& scheduler, int devices, const SchedulerOptions& options = {}) {
  const Schedule schedule =
      make_schedule(scheduler, {.cost = cost, .devices = devices, .options = options, .progress = {}});
  return evaluate(cost, schedule).makespan;
}

/// The least makespan over all schedules with stages of up to `window` operators, by trying them all.
double least_of_all(SyntheticCost& cost, int devices, int window) {
  const HiosProblem problem(cost, devices);
  StageCost stage_cost(problem);
  const int n = problem.size();
  double least = HUGE_VAL;
  Schedule schedule;
  schedule.devices.resize(devices);
  const std::function<void(unsigned)> extend = [&](unsigned done) {
    if (done == (1u << n) - 1) {
      least = std::min(least, evaluate(cost, schedule).makespan);
      return;
    }
    for (unsigned stage = 1; stage < 1u << n; ++stage) {
      std::vector<int> ops;
      bool fits = (stage & done) == 0;
      for (int v = 0; v < n; ++v) {
        if (!(stage >> v & 1)) continue;
        ops.push_back(v);
        for (const auto [from, edge] : problem.preds(v)) fits = fits && ((done | stage) >> from & 1);
      }
      if (!fits || static_cast<int>(ops.size()) > window) continue;
      for (DeviceSchedule& device : schedule.devices) {
        device.stages.push_back(stage_cost.stage(ops));
        extend(done | stage);
        device.stages.pop_back();
      }
    }
  };
  extend(0);
  return least;
}

TEST(Exact, FindsTheLeastMakespanOfAll) {
  for (int seed = 1; seed <= 60; ++seed) {
    SyntheticCost cost = synthetic_cost(test::small_dag(2 + seed % 4, seed));
    for (int devices : {1, 2}) {
      const HiosProblem problem(cost, devices);
      for (int window : {1, 2, 5}) {
        // The worst start: all operators in sequence.
        const Schedule start = make_schedule("sequential", {.cost = cost, .options = {}, .progress = {}});
        Schedule spread = start;
        spread.devices.resize(devices);
        const Optimum optimum = find_optimum(problem, window, spread, 1'000'000);
        ASSERT_NO_THROW(validate(cost.graph(), optimum.schedule));
        ASSERT_NEAR(optimum.makespan, evaluate(cost, optimum.schedule).makespan, 1e-9);
        ASSERT_NEAR(optimum.makespan, least_of_all(cost, devices, window), 1e-9)
            << "seed " << seed << ", " << devices << " devices, window " << window;
      }
    }
  }
}

TEST(Exact, GivesUpAndRefusesWithAReason) {
  SyntheticCost cost = synthetic_cost(test::small_dag(12, 20));
  try {
    makespan_of(cost, "exact", 3, {{"nodes", "2"}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("raise option 'nodes'"), std::string::npos) << e.what();
  }
  SyntheticCost large = synthetic_cost(test::small_dag(13, 1));
  EXPECT_THROW(makespan_of(large, "exact", 2), Error);
}

TEST(Reinsert, IsNoWorseThanWhereItStarts) {
  for (int seed = 1; seed <= 20; ++seed) {
    SyntheticCost cost = synthetic_cost(test::hios_dag(seed));
    for (int devices : {1, 3}) {
      const double ours = makespan_of(cost, "reinsert", devices, {{"iterations", "50"}});
      for (const char* start : {"hios-lp", "hios-mr"})
        EXPECT_LE(ours, makespan_of(cost, start, devices, {{"window", "3"}}) * (1 + 1e-9)) << start;
      EXPECT_LE(ours, makespan_of(cost, "heft", devices) * (1 + 1e-9));
    }
  }
}

TEST(Reinsert, KeepsToItsWindow) {
  SyntheticCost cost = synthetic_cost(test::hios_dag(11));
  for (int window : {1, 2, 4}) {
    std::size_t most = 0;
    for (const auto& device :
         make_schedule("reinsert",
                       {.cost = cost, .devices = 2, .options = {{"window", std::to_string(window)}}, .progress = {}})
             .devices)
      for (const Stage& stage : device.stages) {
        std::size_t operators = 0;
        for (const Group& group : stage.groups) operators += group.size();
        most = std::max(most, operators);
      }
    EXPECT_EQ(most, static_cast<std::size_t>(window));
  }
}

TEST(Reinsert, StopsWhereItIsToldTo) {
  SyntheticCost cost = synthetic_cost(test::hios_dag(5));
  int calls = 0;
  const auto stop = [&](const std::string& line) {
    EXPECT_EQ(line.substr(0, 9), "reinsert:");
    if (++calls == 2) throw Error("stopped");
  };
  EXPECT_THROW(make_schedule("reinsert", {.cost = cost, .devices = 2, .options = {}, .progress = stop}), Error);
  EXPECT_EQ(makespan_of(cost, "reinsert", 2, {{"seconds", "0"}}),
            makespan_of(cost, "reinsert", 2, {{"iterations", "0"}}));
}

// The mean gap to the true optimum, which no schedule can beat.
TEST(Reinsert, IsCloseToTheOptimumOnSmallDags) {
  double gap = 0;
  constexpr int dags = 60;
  for (int seed = 1; seed <= dags; ++seed) {
    SyntheticCost cost = synthetic_cost(test::small_dag(5 + seed % 8, seed));
    const int devices = 2 + seed % 2;
    const SchedulerOptions window{{"window", "3"}};
    const double best = makespan_of(cost, "exact", devices, window);
    const double ours = makespan_of(cost, "reinsert", devices, window);
    ASSERT_GE(ours, best * (1 - 1e-9)) << seed;
    if (best > 0) gap += ours / best - 1;
  }
  EXPECT_LE(gap / dags, 0.005);
  RecordProperty("mean_gap", std::to_string(gap / dags));
}

TEST(Reinsert, ReachesItsMakespansOnAThousandRandomDags) {
  constexpr int dags = 1000;
  const std::vector<std::pair<int, double>> targets{{2, 0.49}, {4, 0.30}};
  std::vector<double> sums(targets.size(), 0.0);
  for (int seed = 1; seed <= dags; ++seed) {
    SyntheticCost cost = synthetic_cost(test::hios_dag(seed));
    double sequential = 0;
    for (OpId op : cost.graph().units()) sequential += cost.operator_ms(op);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      // A small fraction of the moves that it tries by default.
      const double makespan = makespan_of(cost, "reinsert", targets[i].first, {{"iterations", "100"}});
      ASSERT_GE(makespan, lower_bounds(cost, targets[i].first).lower() * (1 - 1e-12)) << seed;
      sums[i] += makespan / sequential;
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    EXPECT_LE(sums[i] / dags, targets[i].second) << targets[i].first << " devices";
    RecordProperty("on_" + std::to_string(targets[i].first), std::to_string(sums[i] / dags));
  }
}

/// A device that must be measured; by its estimates every stage is free.
class CostlyStages : public SyntheticCost {
 public:
  explicit CostlyStages(const WeightedDag& dag) : SyntheticCost(synthetic_cost(dag)) {}
  Provenance provenance() const override { return Provenance::measured; }
  bool measures() const override { return true; }
  bool bounds_hold() const override { return false; }
  bool all_stages_known() const override { return false; }
  double stage_ms(const Stage& stage) override {
    asked.insert(stage.groups);
    return slowdown * SyntheticCost::stage_ms(stage);
  }
  double estimate_stage_ms(const Stage&) override { return 0.01; }
  bool stage_known(const Stage& stage) const override { return asked.contains(stage.groups); }

  double slowdown = 1;
  std::set<std::vector<Group>> asked;
};

TEST(Reinsert, MeasuresFewStagesAndBelievesThem) {
  for (int seed = 1; seed <= 2; ++seed) {
    const WeightedDag dag = test::hios_dag(seed);
    SyntheticCost truth = synthetic_cost(dag);
    CostlyStages cost(dag);
    const Schedule schedule = make_schedule("reinsert", {.cost = cost, .devices = 2, .options = {}, .progress = {}});
    for (const DeviceSchedule& device : schedule.devices)
      for (const Stage& stage : device.stages)
        ASSERT_TRUE(stage.groups.size() == 1 || cost.asked.contains(stage.groups));
    EXPECT_LE(static_cast<int>(cost.asked.size()), 8 * dag.size());
    EXPECT_LE(evaluate(cost, schedule).makespan, makespan_of(truth, "heft", 2) * (1 + 1e-9));
  }
}

/// Several devices look fast until a whole schedule is measured.
struct SlowLinks : test::DeviceCost {
  using DeviceCost::DeviceCost;
  std::optional<double> schedule_ms(const Schedule& schedule) override {
    const auto busy =
        std::ranges::count_if(schedule.devices, [](const DeviceSchedule& device) { return !device.stages.empty(); });
    if (busy > 1) return HUGE_VAL;
    Schedule used = schedule;  // an idle device changes nothing, so it is the same measurement
    std::erase_if(used.devices, [](const DeviceSchedule& device) { return device.stages.empty(); });
    return DeviceCost::schedule_ms(used);
  }
};

TEST(Reinsert, IsNoSlowerThanOneDeviceWhereWholeSchedulesAreMeasured) {
  const Graph graph = make_network("squeezenet");
  Profile profile(test::TrueDevice::facts(), Precision::fp32);
  SlowLinks cost(graph, profile, 5);
  const auto measured = [&](const char* scheduler, int devices) {
    return *cost.schedule_ms(
        make_schedule(scheduler, {.cost = cost, .devices = devices, .options = {}, .progress = {}}));
  };
  const double several = measured("reinsert", 2);
  EXPECT_LE(several, measured("reinsert", 1));
  EXPECT_LE(several, measured("dataflow", 1));
}

/// Whole schedules that were measured before and cannot be measured now.
struct Remembered : test::DeviceCost {
  using DeviceCost::DeviceCost;
  Provenance provenance() const override { return Provenance::recorded; }
  bool measures() const override { return false; }
  std::optional<double> schedule_ms(const Schedule& schedule) override {
    const auto it = std::ranges::find(known, fingerprint(schedule), [](const auto& k) { return fingerprint(k.first); });
    return it == known.end() ? std::nullopt : std::optional(it->second);
  }
  std::vector<Schedule> known_schedules(int devices) override {
    std::vector<Schedule> schedules;
    for (const auto& [schedule, ms] : known)
      if (static_cast<int>(schedule.devices.size()) <= devices) schedules.push_back(schedule);
    return schedules;
  }

  std::vector<std::pair<Schedule, double>> known;
};

TEST(Reinsert, AnswersWithTheFastestThatItKnows) {
  const Graph graph = make_network("squeezenet");
  Profile profile(test::TrueDevice::facts(), Precision::fp32);
  Remembered cost(graph, profile, 5);
  const auto made = [&](const char* scheduler, int devices) {
    return make_schedule(scheduler, {.cost = cost, .devices = devices, .options = {}, .progress = {}});
  };
  cost.known = {{made("wavefront", 1), 0.002}, {made("heft", 3), 0.001}, {made("heft", 2), 0.003}};
  EXPECT_EQ(made("reinsert", 2).devices.front(), cost.known[0].first.devices.front());
  EXPECT_EQ(made("reinsert", 3).devices, cost.known[1].first.devices);
}

TEST(Reinsert, FusesNothingWhereSharingIsSlow) {
  CostlyStages cost(test::hios_dag(2));
  cost.slowdown = 3;  // of stages with several operators; a single one takes its solo latency
  const Schedule schedule = make_schedule("reinsert", {.cost = cost, .devices = 2, .options = {}, .progress = {}});
  for (const DeviceSchedule& device : schedule.devices)
    for (const Stage& stage : device.stages) ASSERT_EQ(stage.groups.size(), 1u);
}

}  // namespace
}  // namespace opsched

// Properties of every scheduler in the list, on graphs of every shape.
#include <gtest/gtest.h>

#include <set>

#include "core/cost/bounds.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_dags.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::TestCost;

class EveryScheduler : public ::testing::TestWithParam<std::string> {
 protected:
  static bool takes(const Graph& graph) {
    const int most = find_scheduler(GetParam()).max_operators;
    return most == 0 || static_cast<int>(graph.units().size()) <= most;
  }
  /// Calls `check(cost, devices, schedule)` for every shape, seed and number of devices.
  template <class Check>
  void for_each_schedule(const Check& check) const {
    const int most = find_scheduler(GetParam()).max_devices;
    for (std::uint64_t seed : {1, 2, 3, 4, 5}) {
      for (const Graph& graph : test::every_shape(seed)) {
        if (!takes(graph)) continue;
        TestCost cost(graph, seed);
        for (int devices = 1; devices <= (most == 0 ? 4 : std::min(most, 4)); ++devices) {
          SCOPED_TRACE(graph.name() + " of " + std::to_string(graph.size()) + ", seed " + std::to_string(seed) + ", " +
                       std::to_string(devices) + " devices");
          check(cost, devices,
                make_schedule(GetParam(), {.cost = cost, .devices = devices, .options = {}, .progress = {}}));
        }
      }
    }
  }
};

TEST_P(EveryScheduler, IsValidAndComplete) {
  for_each_schedule([&](TestCost& cost, int devices, const Schedule& schedule) {
    EXPECT_NO_THROW(validate(cost.graph(), schedule));  // make_schedule checks this too
    EXPECT_EQ(schedule.scheduler, GetParam());
    EXPECT_EQ(schedule.graph, cost.graph().name());
    EXPECT_EQ(static_cast<int>(schedule.devices.size()), devices);
    std::multiset<OpId> scheduled;
    for (const DeviceSchedule& device : schedule.devices)
      for (const Stage& stage : device.stages)
        for (const Group& group : stage.groups) scheduled.insert(group.begin(), group.end());
    const auto units = scheduled_graph(cost.graph(), schedule)->units();
    EXPECT_EQ(scheduled, std::multiset<OpId>(units.begin(), units.end()));
    const auto issued = issue_order(cost.graph(), schedule);
    Schedule explicit_order = schedule;
    explicit_order.launch_order = issued;
    EXPECT_NO_THROW(validate(cost.graph(), explicit_order)) << "issue_order() breaks the rules of launch orders";
  });
}

TEST_P(EveryScheduler, IsNeverBelowTheBound) {
  for_each_schedule([&](TestCost& cost, int devices, const Schedule& schedule) {
    const double ms = simulate(cost, schedule).timeline.makespan;
    EXPECT_EQ(static_cast<int>(schedule.devices.size()), devices);
    EXPECT_GE(ms, lower_bounds(cost, schedule).lower() * (1 - 1e-9));
  });
}

TEST_P(EveryScheduler, IsNeverBelowTheBoundOfSyntheticCosts) {
  const int most = find_scheduler(GetParam()).max_devices;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SyntheticCost cost = synthetic_cost(test::small_dag(6, seed));
    const int devices = most == 0 ? 1 + static_cast<int>(seed % 3) : 1;
    const Schedule schedule =
        make_schedule(GetParam(), {.cost = cost, .devices = devices, .options = {}, .progress = {}});
    EXPECT_GE(simulate(cost, schedule).timeline.makespan, lower_bounds(cost, schedule).lower() * (1 - 1e-9))
        << "seed " << seed;
  }
}

TEST_P(EveryScheduler, IsDeterministic) {
  for_each_schedule([&](TestCost& cost, int devices, const Schedule& schedule) {
    EXPECT_EQ(schedule, make_schedule(GetParam(), {.cost = cost, .devices = devices, .options = {}, .progress = {}}));
  });
}

TEST_P(EveryScheduler, ChecksWhatIsAskedFor) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  const auto ask = [&](int devices, const SchedulerOptions& options) {
    return make_schedule(GetParam(), {.cost = cost, .devices = devices, .options = options, .progress = {}});
  };
  const SchedulerInfo& info = find_scheduler(GetParam());
  EXPECT_FALSE(info.summary.empty());
  EXPECT_THROW(ask(0, {}), Error);
  if (info.max_devices > 0) {
    EXPECT_THROW(ask(info.max_devices + 1, {}), Error);
  }
  if (info.max_operators > 0) {
    const Graph large = test::wide(info.max_operators + 1);
    TestCost large_cost(large);
    EXPECT_THROW(make_schedule(GetParam(), {.cost = large_cost, .devices = 1, .options = {}, .progress = {}}), Error);
  }
  EXPECT_THROW(ask(1, {{"no-such", "1"}}), Error);
  for (const auto& [option, meaning] : info.options) {
    EXPECT_FALSE(meaning.empty()) << option;
    EXPECT_THROW(ask(1, {{option, "?"}}), Error) << option;
    EXPECT_THROW(ask(1, {{option, ""}}), Error) << option;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const SchedulerInfo& info : schedulers()) names.push_back(info.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Schedulers, EveryScheduler, ::testing::ValuesIn(names()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(SchedulerList, NamesAreDistinctAndKnownInErrors) {
  const auto list = names();
  EXPECT_EQ(std::set<std::string>(list.begin(), list.end()).size(), list.size());
  try {
    find_scheduler("no-such");
    FAIL();
  } catch (const Error& e) {
    const std::string message = e.what();
    EXPECT_NE(message.find("'no-such'"), std::string::npos);
    for (const std::string& name : list) EXPECT_NE(message.find(name), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace opsched

// Evaluation in barrier mode, and the lower bounds.
#include "core/cost/evaluate.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/cost/bounds.hpp"
#include "core/error.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::TestCost;

Stage stage(std::vector<Group> groups) { return {Strategy::concurrent, std::move(groups)}; }

Schedule schedule_of(std::vector<std::vector<Stage>> devices) {
  Schedule schedule;
  for (auto& stages : devices) schedule.devices.push_back({std::move(stages)});
  return schedule;
}

/// A random valid schedule: operators in order, each on a random device, in a new stage or, if it reads nothing from
/// it, in the device's last stage.
Schedule random_schedule(const Graph& graph, int devices, std::mt19937_64& random) {
  Schedule schedule;
  schedule.devices.resize(devices);
  for (OpId op : graph.units()) {
    auto& stages = schedule.devices[random() % devices].stages;
    // A stage may only be joined by operators that come directly after it on every device: the globally last stage.
    const bool join = !stages.empty() && random() % 2 == 0 && stages.back().groups.back().back() == op - 1 &&
                      std::ranges::none_of(graph.preds(op), [&](OpId p) {
                        return std::ranges::any_of(stages.back().groups, [&](const Group& g) { return g[0] == p; });
                      });
    if (join)
      stages.back().groups.push_back({op});
    else
      stages.push_back(stage({{op}}));
  }
  return schedule;
}

TEST(Evaluate, OneDeviceAddsUpStages) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  for (OpId op = 1; op <= 4; ++op) cost.set(op, op, 0.5);
  const Timeline t = evaluate(cost, schedule_of({{stage({{1}}), stage({{2}, {3}}), stage({{4}})}}));
  EXPECT_DOUBLE_EQ(t.end[1], 1);
  EXPECT_DOUBLE_EQ(t.start[3], 1);
  EXPECT_DOUBLE_EQ(t.end[2], 1 + 0.5 * 5 + 0.5 * 3);  // both end with their stage
  EXPECT_DOUBLE_EQ(t.end[3], t.end[2]);
  EXPECT_DOUBLE_EQ(t.makespan, 5 + 4);
}

TEST(Evaluate, TransfersDelayTheReader) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  for (OpId op = 1; op <= 4; ++op) cost.set(op, op, 0.5);
  const Timeline t = evaluate(cost, schedule_of({{stage({{1}}), stage({{2}}), stage({{4}})}, {stage({{3}})}}));
  const double there = cost.transfer_ms(1, 3, 0, 1), back = cost.transfer_ms(3, 4, 1, 0);
  ASSERT_GT(there, 0);
  EXPECT_DOUBLE_EQ(t.start[2], 1);
  EXPECT_DOUBLE_EQ(t.start[3], 1 + there);
  EXPECT_DOUBLE_EQ(t.start[4], std::max(3.0, 1 + there + 3 + back));
  EXPECT_DOUBLE_EQ(t.makespan, t.start[4] + 4);
}

TEST(Evaluate, PartsOfSchedules) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  const Timeline t = evaluate(cost, schedule_of({{stage({{2}}), stage({{4}})}}));
  EXPECT_DOUBLE_EQ(t.makespan, cost.operator_ms(2) + cost.operator_ms(4));
  EXPECT_DOUBLE_EQ(t.end[3], 0);
}

TEST(Evaluate, RefusesWhatHasNoTimes) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  Schedule schedule = schedule_of({{stage({{4}}), stage({{1}})}, {stage({{2}, {3}})}});
  try {
    evaluate(cost, schedule);
    FAIL() << "a deadlock was evaluated";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("stage 0 of device 0: 'u3'"), std::string::npos) << e.what();
  }
  schedule.mode = Mode::dataflow;
  EXPECT_THROW(evaluate(cost, schedule), Error);
}

/// The definition in the header, applied until nothing changes.
TEST(Evaluate, IsTheLeastFixedPoint) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    const Graph graph = test::layered(6, 5, trial);
    TestCost cost(graph, trial);
    const Schedule schedule = random_schedule(graph, 1 + trial % 4, random);
    validate(graph, schedule);
    const auto slots = slots_of(graph, schedule);
    std::vector<double> start(graph.size(), 0.0), end(graph.size(), 0.0);
    for (bool changed = true; changed;) {
      changed = false;
      for (const DeviceSchedule& device : schedule.devices) {
        double free = 0;
        for (const Stage& s : device.stages) {
          double begin = free;
          for (const Group& group : s.groups)
            for (OpId op : group)
              for (OpId p : graph.preds(op)) {
                if (graph.op(p).is_input()) continue;
                if (slots[p].device == slots[op].device && slots[p].stage == slots[op].stage) continue;
                begin = std::max(begin, end[p] + cost.transfer_ms(p, op, slots[p].device, slots[op].device));
              }
          free = begin + cost.stage_ms(s);
          for (const Group& group : s.groups)
            for (OpId op : group) {
              changed = changed || start[op] != begin || end[op] != free;
              start[op] = begin;
              end[op] = free;
            }
        }
      }
    }
    const Timeline t = evaluate(cost, schedule);
    EXPECT_EQ(t.start, start);
    EXPECT_EQ(t.end, end);
    EXPECT_EQ(t.makespan, *std::ranges::max_element(end));
    const int devices = static_cast<int>(schedule.devices.size());
    EXPECT_GE(t.makespan, lower_bounds(cost, devices).lower() * (1 - 1e-12));
  }
}

TEST(Evaluate, KeepsNothingBetweenCalls) {
  const Graph graph = test::layered(6, 5, 3);
  TestCost cost(graph);
  Evaluator evaluator(cost);
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 20; ++trial) {
    const Schedule schedule = random_schedule(graph, 3, random);
    EXPECT_EQ(evaluator.evaluate(schedule).start, evaluate(cost, schedule).start);
  }
}

TEST(Bounds, ChainsAndCrowds) {
  const Graph chain = test::chain(4), wide = test::wide(4);
  TestCost chain_cost(chain), wide_cost(wide);
  for (OpId op = 1; op <= 4; ++op) {
    chain_cost.set(op, 2, 0.5);
    wide_cost.set(op, 2, 0.5);
  }
  EXPECT_DOUBLE_EQ(lower_bounds(chain_cost, 4).critical_path, 8);
  EXPECT_DOUBLE_EQ(lower_bounds(wide_cost, 1).critical_path, 2);
  EXPECT_DOUBLE_EQ(lower_bounds(wide_cost, 1).work, 4 * 0.5 * 2 * 1.5);
  EXPECT_DOUBLE_EQ(lower_bounds(wide_cost, 2).work, 3);
  EXPECT_DOUBLE_EQ(lower_bounds(wide_cost, 2).gap(4.5), 0.5);
  EXPECT_THROW(lower_bounds(wide_cost, 0), Error);
  EXPECT_EQ(remaining_ms(chain_cost), (std::vector<double>{8, 8, 6, 4, 2}));
}

}  // namespace
}  // namespace opsched

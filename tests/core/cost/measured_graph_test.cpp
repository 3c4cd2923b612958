// Profiles of kernels 15 and later hold costs of graphs with early ReLU, older ones of graphs without.
#include "core/cost/profile/measured_graph.hpp"

#include <gtest/gtest.h>

#include "core/runtime/sim/calibrate.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/device_cost.hpp"

namespace opsched::test {
namespace {

DeviceFacts facts_of(const std::string& kernels) {
  DeviceFacts facts = TrueDevice::facts();
  facts.kernels = kernels;
  return facts;
}

TEST(MeasuredGraph, DependsOnTheVersionOfTheKernels) {
  for (const char* kernels :
       {"", "unknown", "9", "12", "13", "13 3f2a0000", "14", "15 late-relu", "15 3f2a0000 late-relu"})
    EXPECT_FALSE(runs_early_relu(kernels)) << kernels;
  for (const char* kernels : {"15", "15 3f2a0000", "16", "120"}) EXPECT_TRUE(runs_early_relu(kernels)) << kernels;
}

/// The schedules of a search, and what is known of them when the profile is replayed.
struct Replayed {
  Profile profile;
  Schedule schedule;
  double ms = 0;
  bool moved = false;  ///< did ReLUs?

  Replayed(const Graph& network, const std::string& kernels) : profile(facts_of(kernels), Precision::fp32) {
    DeviceCost measured(network, profile, 1);
    schedule = make_schedule("greedy", {.cost = measured, .devices = 1, .options = {}, .progress = {}});
    ms = *measured.schedule_ms(schedule);
    moved = &measured.graph() != &network;
  }
};

void expect_known(const Graph& network, const Replayed& replayed, const Schedule& schedule) {
  const ContentionModel model = ContentionModel::fit(replayed.profile);
  RecordedCost costs(network, replayed.profile, model);
  EXPECT_EQ(&costs.graph() != &network, replayed.moved);
  for (const Stage& stage : schedule.devices.front().stages) {
    EXPECT_TRUE(costs.stage_known(stage));
    EXPECT_GT(costs.stage_ms(stage), 0);
  }
  EXPECT_EQ(costs.estimated_stages(), 0);
}

TEST(MeasuredGraph, AReplayFindsEveryStageAndSchedule) {
  const Graph network = make_network("nasnet", {.batch = 1, .image = 64});
  const Replayed before(network, "13"), late(network, "15 late-relu"), now(network, "15");
  EXPECT_FALSE(before.moved);
  EXPECT_FALSE(late.moved);
  EXPECT_TRUE(now.moved);
  for (const Replayed* replayed : {&before, &late, &now}) {
    expect_known(network, *replayed, replayed->schedule);
    // Schedules are kept for the network, whatever its ReLUs did.
    const ContentionModel model = ContentionModel::fit(replayed->profile);
    RecordedCost costs(network, replayed->profile, model);
    EXPECT_EQ(costs.schedule_ms(replayed->schedule), replayed->ms);
    ASSERT_EQ(costs.known_schedules(1).size(), 1U);
    EXPECT_EQ(costs.known_schedules(1).front().devices, replayed->schedule.devices);
  }
  EXPECT_EQ(before.profile.stages().size(), late.profile.stages().size());
  for (const auto& [key, entry] : before.profile.stages()) EXPECT_TRUE(late.profile.find_stage(key)) << key;
  // Many stages are other ones now.
  int other = 0;
  for (const auto& [key, entry] : now.profile.stages()) other += before.profile.find_stage(key) == nullptr;
  EXPECT_GT(other, 10);
}

TEST(MeasuredGraph, OneScheduleRunsOnProfilesOfBothKinds) {
  const Graph network = make_network("nasnet", {.batch = 1, .image = 64});
  const Replayed before(network, "13"), now(network, "15");
  for (const Replayed* replayed : {&before, &now}) {
    const ContentionModel model = ContentionModel::fit(replayed->profile);
    RecordedCost costs(network, replayed->profile, model);
    for (const Schedule& schedule : {before.schedule, now.schedule}) {
      validate(costs.graph(), schedule);
      validate(network, schedule);
      for (const Stage& stage : schedule.devices.front().stages) EXPECT_GT(costs.stage_ms(stage), 0);
    }
  }
}

/// What the simulator is calibrated with and judged by.
TEST(MeasuredGraph, RecordedCasesAreAsTheDeviceRanThem) {
  const auto network = std::make_shared<const Graph>(make_network("nasnet", {.batch = 1, .image = 64}));
  for (const char* kernels : {"14", "15", "16"}) {
    const Replayed replayed(*network, kernels);
    const auto cases = recorded_cases(replayed.profile, [&](const ScheduleOrigin&) { return network; });
    ASSERT_EQ(cases.size(), 1U);
    EXPECT_EQ(cases.front().graph != network, replayed.moved);
    const StageSigner signer(*cases.front().graph, adds_residuals(kernels));
    for (const Stage& stage : cases.front().schedule.devices.front().stages)
      EXPECT_TRUE(replayed.profile.find_stage(signer.stage(stage)));
  }
}

TEST(MeasuredGraph, SplitsKeepTheMoves) {
  const Graph network = make_network("nasnet", {.batch = 2, .image = 64});
  Profile profile(facts_of("15"), Precision::fp32);
  DeviceCost costs(network, profile, 1);
  const OpId split = network.units()[20];
  Schedule schedule;
  schedule.splits = {{.op = split, .begins = {1}, .along = Along::images}};
  const ScheduledCosts scheduled(costs, schedule);
  EXPECT_EQ(scheduled->graph().splits(), schedule.splits);
  int relieved = 0;
  for (OpId op : scheduled->graph().units()) {
    relieved += scheduled->graph().op(op).relieved;
    EXPECT_GT(scheduled->operator_ms(op), 0);
  }
  EXPECT_GE(relieved, 32);
}

}  // namespace
}  // namespace opsched::test

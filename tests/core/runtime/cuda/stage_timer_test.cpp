// Stage latencies as measured for the searches.
#include <gtest/gtest.h>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/cost/signature/stage_kind.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "networks/network.hpp"
#include "schedulers/dataflow/priorities.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

DeviceFacts facts() {
  DeviceFacts facts;
  facts.name = cuda_devices().usable.front().name;
  return facts;
}

class StagesOnTheGpu : public ::testing::TestWithParam<Precision> {};

TEST_P(StagesOnTheGpu, AreMeasuredOnceAndAddUp) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  Profile profile(facts(), GetParam());
  CudaRuntime runtime({.precision = GetParam(), .cache_file = "", .device_ids = {}, .progress = {}});
  const auto cost = runtime.make_cost(graph, profile);
  const StageSigner signer(graph);
  for (const char* scheduler : {"sequential", "wavefront"}) {
    const Schedule schedule = make_schedule(scheduler, {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
    const std::vector<Stage>& stages = schedule.devices[0].stages;
    cost->prefetch(stages);
    const std::size_t measured = profile.stages().size();
    double sum = 0;
    for (const Stage& stage : stages) {
      EXPECT_TRUE(cost->stage_known(stage));
      EXPECT_TRUE(cost->kind_known(kind_of_key(signer.stage(stage))));
      sum += cost->stage_ms(stage);
    }
    EXPECT_EQ(profile.stages().size(), measured);
    const double whole = *cost->schedule_ms(schedule);
    EXPECT_NEAR(sum, whole, 0.2 * whole) << scheduler;
    RecordProperty(scheduler, std::to_string(sum) + " ms in stages, " + std::to_string(whole) + " ms as a whole");
    EXPECT_EQ(*cost->schedule_ms(schedule), whole) << "recorded, so not measured again";
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, StagesOnTheGpu, ::testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

TEST(WholeSchedules, AreComparedInTurnWithAndWithoutPrioritiesAndPreparedAgain) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  Profile profile(facts(), Precision::fp32);
  CudaRuntime runtime({.precision = Precision::fp32, .cache_file = "", .device_ids = {}, .progress = {}});
  const auto cost = runtime.make_cost(graph, profile);
  const Schedule plain = make_schedule("dataflow", {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
  std::vector<Schedule> schedules = {plain};
  for (const PriorityRule& rule : priority_rules(*cost)) {
    schedules.push_back(plain);
    schedules.back().priority = rule.priority;
  }
  cost->prefetch_schedules(schedules);
  EXPECT_EQ(profile.schedules().size(), schedules.size());
  EXPECT_EQ(cost->known_schedules(1).size(), schedules.size());
  for (const Schedule& schedule : schedules) {
    EXPECT_NEAR(*cost->schedule_ms(schedule), *cost->schedule_ms(plain), 0.5 * *cost->schedule_ms(plain));
    const auto executor = runtime.make_executor(graph, schedule, 1);
    const Preparation preparation = executor->preparation();
    EXPECT_GT(preparation.capture_ms, 0);
    EXPECT_GT(preparation.instantiate_ms, 0);
    EXPECT_GT(preparation.nodes, 20);
    EXPECT_GE(runtime.make_executor(graph, schedule, 1, Waits::all)->preparation().waits, preparation.waits);
  }
}

TEST(StageTimer, ReplicasDoNotChangeLatencies) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  // A stage with an estimate, which is therefore measured with fewer replicas, compared with one without.
  const Graph graph = make_network("inception_v3");
  CudaRuntime runtime({.precision = Precision::fp32, .cache_file = "", .device_ids = {}, .progress = {}});
  Profile blind(facts(), Precision::fp32), informed(facts(), Precision::fp32);
  const auto first = runtime.make_cost(graph, blind), second = runtime.make_cost(graph, informed);
  const Schedule schedule = make_schedule("wavefront", {.cost = *first, .devices = 1, .options = {}, .progress = {}});
  const Stage* widest = nullptr;
  for (const Stage& stage : schedule.devices[0].stages)
    if (!widest || stage.groups.size() > widest->groups.size()) widest = &stage;
  const double many = first->stage_ms(*widest);
  second->estimate_stage_ms(*widest);
  const double few = second->stage_ms(*widest);
  EXPECT_NEAR(few, many, 0.1 * many);
}

}  // namespace
}  // namespace opsched

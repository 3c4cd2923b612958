// The simulator: both modes, one and several devices.
#include "core/runtime/sim/simulate.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/cost/bounds.hpp"
#include "core/error.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/sim/calibrate.hpp"
#include "core/runtime/sim/sim_executor.hpp"
#include "core/schedule/schedule_text.hpp"
#include "networks/network.hpp"
#include "networks/random_dag.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_dataflow.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"
#include "tests/support/true_device.hpp"

namespace opsched {
namespace {

using test::TestCost;
using test::TrueDevice;

Stage stage(std::vector<Group> groups) { return {Strategy::concurrent, std::move(groups)}; }

/// TestCost with a contention law.
class LawCost : public TestCost {
 public:
  using TestCost::TestCost;
  ContentionLaw contention_law() override { return law; }
  ContentionLaw law;
};

Schedule dataflow_schedule(std::vector<std::vector<Stage>> devices) {
  Schedule schedule;
  schedule.mode = Mode::dataflow;
  for (auto& stages : devices) schedule.devices.push_back({std::move(stages)});
  return schedule;
}

TEST(Simulate, BarrierModeIsTheExactEvaluation) {
  for (const Graph& graph : test::every_shape(3)) {
    LawCost cost(graph);
    const Schedule schedule = make_schedule("wavefront", {cost, 1, {}, {}});
    const Timeline exact = evaluate(cost, schedule);
    EXPECT_DOUBLE_EQ(simulate(cost, schedule).timeline.makespan, exact.makespan);
    cost.law.launch_ms = 0.5;
    const Timeline later = simulate(cost, schedule).timeline;
    EXPECT_DOUBLE_EQ(later.makespan, exact.makespan + 0.5);
    for (OpId op : graph.units()) EXPECT_DOUBLE_EQ(later.start[op], exact.start[op] + 0.5);
  }
}

TEST(Simulate, BarrierModeIsTheExactEvaluationOnSeveralDevices) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SyntheticCost cost = synthetic_cost(random_dag({.operators = 40, .layers = 6, .dependencies = 90, .seed = seed}));
    for (const char* scheduler : {"hios-lp", "heft"}) {
      const Schedule schedule = make_schedule(scheduler, {cost, 3, {}, {}});
      const Timeline exact = evaluate(cost, schedule), simulated = simulate(cost, schedule).timeline;
      EXPECT_EQ(simulated.makespan, exact.makespan);
      EXPECT_EQ(simulated.start, exact.start);
      EXPECT_EQ(simulated.end, exact.end);
    }
  }
}

TEST(Simulate, InputsOfTheGraphLeaveTheDeviceOfTheirFirstReader) {
  const Graph graph = test::graph_of("g", {{}, {}, {1}});  // 1 and 2 read the input 0, 3 reads 2
  LawCost cost(graph);
  for (OpId op : graph.units()) cost.set(op, 1, 1);
  cost.law.launch_ms = 0.25;
  Schedule schedule = dataflow_schedule({{stage({{1}})}, {stage({{2}}), stage({{3}})}});
  const double moved = cost.transfer_ms(0, 2, 0, 1);
  ASSERT_GT(moved, 0);
  for (Mode mode : {Mode::dataflow, Mode::barrier}) {
    schedule.mode = mode;
    const Simulation run = simulate(cost, schedule);
    EXPECT_NEAR(run.timeline.start[1], 0.25, 1e-9);
    EXPECT_NEAR(run.timeline.start[2], 0.25 + moved, 1e-9) << to_string(mode);
    EXPECT_NEAR(run.timeline.makespan, 2.25 + moved, 1e-9);
    ASSERT_EQ(run.transfers.size(), 1U);
    EXPECT_EQ(run.transfers[0].producer, 0);
    const Program program = lower(graph, schedule, {});  // as added by a back end
    EXPECT_EQ(program.buffers[program.inputs[0].buffer].device, 0);
    EXPECT_EQ(program.steps[0].kind, Step::Kind::transfer);
  }
}

TEST(Simulate, TransfersWaitForThePortsOfTheirDevices) {
  const Graph graph = test::graph_of("g", {{}, {0}, {0}, {1, 2}});  // 1 -> 2, 3 -> 4
  LawCost cost(graph);
  for (OpId op : graph.units()) cost.set(op, 1, 1);
  Schedule schedule = dataflow_schedule({{stage({{1}}), stage({{4}})}, {stage({{2}})}, {stage({{3}})}});
  schedule.mode = Mode::barrier;
  const double to_2 = cost.transfer_ms(1, 2, 0, 1), to_3 = cost.transfer_ms(1, 3, 0, 2);
  ASSERT_GT(std::min(to_2, to_3), 0);
  Simulation run = simulate(cost, schedule);
  EXPECT_EQ(run.timeline.start[2], 1 + to_2);
  EXPECT_EQ(run.timeline.start[3], 1 + to_3);
  for (const double latency : {0.0, to_2 / 4, 2 * to_2}) {
    cost.law.transfer_latency_ms = latency;
    run = simulate(cost, schedule);
    EXPECT_NEAR(run.timeline.start[2], 1 + to_2, 1e-9);
    EXPECT_NEAR(run.timeline.start[3], 1 + std::max(0.0, to_2 - latency) + to_3, 1e-9);  // leaves after the other
    ASSERT_EQ(run.transfers.size(), 4U);
    const Simulation::Transfer &first = run.transfers[2], &second = run.transfers[3];  // both into device 0
    EXPECT_GE(second.start, first.start + std::max(0.0, first.end - first.start - latency) - 1e-9);
    EXPECT_NEAR(run.timeline.start[4], std::max(first.end, second.end), 1e-9);
  }
}

TEST(Simulate, DataflowKnownTimes) {
  const Graph graph = test::diamond();  // 1 -> 2, 3 -> 4
  LawCost cost(graph);
  cost.set(1, 1, 0.5);
  cost.set(2, 2, 0.75);
  cost.set(3, 1, 0.75);
  cost.set(4, 1, 0.5);
  const Schedule schedule = dataflow_schedule({{stage({{1, 2, 4}, {3}})}});
  Timeline t = simulate(cost, schedule).timeline;
  EXPECT_NEAR(t.start[3], 1, 1e-9);
  EXPECT_NEAR(t.end[3], 2.5, 1e-9);  // both at 1 / 1.5
  EXPECT_NEAR(t.end[2], 3.5, 1e-9);
  EXPECT_NEAR(t.makespan, 4.5, 1e-9);
  cost.law.dependency_ms = 0.25;
  cost.law.start_ms = 0.5;
  cost.law.launch_ms = 2;
  t = simulate(cost, schedule).timeline;
  EXPECT_NEAR(t.start[1], 2, 1e-9);
  EXPECT_NEAR(t.start[2], 3, 1e-9);
  EXPECT_NEAR(t.start[3], 3.25, 1e-9);
  // Both use the device from 3.75 on, when 2 has 1.25 ms left, and 3 has 0.5 ms.
  EXPECT_NEAR(t.end[3], 3.75 + 0.75, 1e-9);
  EXPECT_NEAR(t.end[2], 3.75 + 0.75 + 0.75, 1e-9);
  EXPECT_NEAR(t.makespan, t.end[2] + 1, 1e-9);
}

TEST(Simulate, OnOneStreamItDoesNotMatterHowLongOperatorsStart) {
  std::mt19937_64 random(8);
  for (const Graph& graph : test::every_shape(8)) {
    LawCost cost(graph);
    const Schedule schedule = test::random_dataflow(graph, 1, 1, random);
    const double before = simulate(cost, schedule).timeline.makespan;
    for (const double start_ms : {0.01, 0.5, 100.0}) {
      cost.law.start_ms = start_ms;
      EXPECT_NEAR(simulate(cost, schedule).timeline.makespan, before, 1e-9 * before);
    }
  }
}

TEST(Simulate, OperatorsAtADependencyBetweenDevicesTakeLonger) {
  std::mt19937_64 random(9);
  for (const Graph& graph : test::every_shape(9)) {
    LawCost cost(graph);
    Schedule one = test::random_dataflow(graph, 1, 4, random);
    const double before = simulate(cost, one).timeline.makespan;
    cost.law.remote_ms = 0.5;
    EXPECT_EQ(simulate(cost, one).timeline.makespan, before);
  }
  const Graph graph = test::graph_of("g", {{}, {0}, {1}, {2}});  // a chain: 1, 2 | 3, 4
  LawCost cost(graph);
  for (OpId op : graph.units()) cost.set(op, 1, 1);
  Schedule schedule = dataflow_schedule({{stage({{1}}), stage({{2}})}, {stage({{3}}), stage({{4}})}});
  for (const Mode mode : {Mode::dataflow, Mode::barrier}) {
    schedule.mode = mode;
    cost.law.remote_ms = 0;
    const double before = simulate(cost, schedule).timeline.makespan;
    cost.law.remote_ms = 0.25;  // of 2 and of 3
    EXPECT_NEAR(simulate(cost, schedule).timeline.makespan, before + 0.5, 1e-9) << to_string(mode);
  }
}

TEST(Simulate, OutputsCrossALinkOnceOneAfterAnother) {
  const Graph graph = test::graph_of("g", {{}, {}, {0}, {0, 1}, {1}});
  LawCost cost(graph);
  for (OpId op : graph.units()) cost.set(op, 1, 0.1);
  const Schedule schedule = dataflow_schedule({{stage({{1}, {2}})}, {stage({{3}, {4}, {5}})}});
  const Simulation run = simulate(cost, schedule);
  ASSERT_EQ(run.transfers.size(), 2u);
  EXPECT_NEAR(run.transfers[0].start, 1, 1e-9);
  EXPECT_NEAR(run.transfers[1].start, run.transfers[0].end, 1e-9);
  EXPECT_NEAR(run.timeline.start[4], run.transfers[1].end, 1e-9);
  EXPECT_EQ(run.slots[4].device, 1);
}

TEST(Simulate, DataflowRespectsOrderAndBounds) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 20; ++round) {
    for (const Graph& graph : test::every_shape(static_cast<std::uint64_t>(round))) {
      LawCost cost(graph, static_cast<std::uint64_t>(round));
      const int devices = 1 + round % 3;
      const Schedule schedule = test::random_dataflow(graph, devices, 1 + static_cast<int>(random() % 4), random);
      const Simulation run = simulate(cost, schedule);
      double critical = 0, work = 0, sum = 0;
      std::vector<double> path(graph.size(), 0.0);
      for (OpId op : graph.units()) {
        EXPECT_GE(run.timeline.end[op] - run.timeline.start[op], cost.operator_ms(op) * (1 - 1e-9));
        for (OpId p : graph.preds(op)) {
          path[op] = std::max(path[op], path[p]);
          const bool input = graph.op(p).is_input();
          const int from = input ? input_device(graph, run.slots, p) : run.slots[p].device;
          const double gap = cost.transfer_ms(p, op, from, run.slots[op].device);
          EXPECT_GE(run.timeline.start[op], run.timeline.end[p] + gap - 1e-9);  // an input's end is 0
          sum += gap;
        }
        path[op] += cost.operator_ms(op);
        critical = std::max(critical, path[op]);
        work += cost.operator_ms(op) * cost.utilisation(op) / devices;
        sum += cost.operator_ms(op);
      }
      EXPECT_GE(run.timeline.makespan, std::max(critical, work) * (1 - 1e-9));
      EXPECT_LE(run.timeline.makespan, sum * (1 + 1e-9));
    }
  }
}

TEST(Simulate, AMergeRunsAsOneOperator) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {4, 8, 8});
  const OpId a = graph.add("a", {graph.all(x)}, {Conv2d{.out_channels = 4}});
  const OpId b = graph.add("b", {graph.all(x)}, {Conv2d{.out_channels = 4}});
  const OpId c = graph.add("c", {graph.all(a)}, {Conv2d{.out_channels = 4}});
  LawCost cost(graph);
  Schedule schedule = dataflow_schedule({{{Strategy::merge, {{a, b}}}, stage({{c}})}});
  const Timeline t = simulate(cost, schedule).timeline;
  EXPECT_EQ(t.end[a], t.end[b]);
  EXPECT_NEAR(t.end[a], cost.stage_ms(schedule.devices[0].stages[0]), 1e-9);
  EXPECT_NEAR(t.makespan, t.end[a] + cost.operator_ms(c), 1e-9);
}

TEST(Simulate, APreparedScheduleNeedsNoCostsForAnotherLaw) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> any(0, 1);
  for (std::uint64_t seed = 0; seed < 10; ++seed)
    for (const Graph& graph : test::every_shape(seed)) {
      const int devices = 1 + static_cast<int>(seed % 3);
      LawCost cost(graph, seed);
      for (const Schedule& schedule :
           {make_schedule("hios-lp", {cost, devices, {}, {}}), test::random_dataflow(graph, devices, 3, random)}) {
        auto asked = std::make_unique<LawCost>(graph, seed);
        const PreparedSchedule prepared(*asked, schedule);
        asked.reset();
        for (int round = 0; round < 4; ++round) {
          ContentionLaw& law = cost.law;
          for (double* ms : {&law.start_ms, &law.dependency_ms, &law.remote_ms, &law.switch_ms, &law.chain_switch_ms,
                             &law.launch_ms, &law.device_ms, &law.interference, &law.sum_share})
            *ms = any(random);
          if (round > 0) law.exponent = 1 + any(random);
          if (round > 1) law.transfer_latency_ms = any(random);
          EXPECT_EQ(simulated_ms(prepared, law), simulate(cost, schedule).timeline.makespan);
        }
        cost.law = {};
      }
    }
}

TEST(Simulate, RefusesInvalidSchedules) {
  const Graph graph = test::chain(3);
  LawCost cost(graph);
  EXPECT_THROW(simulate(cost, dataflow_schedule({{stage({{1, 2}})}})), Error);
  EXPECT_THROW(simulate(cost, dataflow_schedule({{stage({{2, 1, 3}})}})), Error);
}

TEST(Simulate, RandomDagsInDataflowModeAreNoSlowerThanSequential) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    RandomDagOptions options;
    options.seed = seed;
    SyntheticCost cost = synthetic_cost(random_dag(options));
    const Schedule schedule = make_schedule("dataflow", {cost, 1, {}, {}});
    double sum = 0;
    for (OpId op : cost.graph().units()) sum += cost.operator_ms(op);
    EXPECT_LE(simulate(cost, schedule).timeline.makespan, sum * (1 + 1e-9));
  }
}

TEST(SimExecutor, MeasuresFromRecordsElseSimulates) {
  const Graph graph = test::diamond();
  LawCost cost(graph);
  const Schedule schedule = make_schedule("wavefront", {cost, 1, {}, {}});
  Profile profile(TrueDevice::facts(), Precision::fp16);
  const auto executor = make_sim_executor(cost, schedule, &profile);
  const Measurement simulated = executor->measure({});
  EXPECT_EQ(simulated.provenance, Provenance::synthetic);
  EXPECT_DOUBLE_EQ(simulated.median, simulate(cost, schedule).timeline.makespan);
  EXPECT_EQ(executor->sample(5), std::vector<double>{simulated.median});
  EXPECT_TRUE(executor->kernels().empty());
  EXPECT_GT(executor->activation_bytes(0), 0);
  EXPECT_THROW(executor->run({}), Error);
  profile.record_schedule(fingerprint(graph), fingerprint(schedule), {{0.125, 0.01, 40}, {"diamond", "wavefront"}, ""});
  const Measurement recorded = executor->measure({});
  EXPECT_EQ(recorded.provenance, Provenance::recorded);
  EXPECT_EQ(recorded.median, 0.125);
  EXPECT_EQ(recorded.runs, 40);
  EXPECT_NE(recorded.note, simulated.note);
}

TEST(SimExecutor, PlansTheMemoryOfTheProgramThatAGpuRuns) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(4);
    TestCost cost(graph, seed);
    const Schedule schedule = make_schedule(seed % 2 ? "wavefront" : "dataflow", {cost, 1, {}, {}});
    for (const Precision precision : kPrecisions) {
      const Profile profile(TrueDevice::facts(), precision);
      const Program program = lower(graph, schedule, lowering_for(precision));
      EXPECT_EQ(make_sim_executor(cost, schedule, &profile)->activation_bytes(0), program.arena_bytes[0]) << seed;
    }
  }
}

TEST(SimExecutor, MovesTheBytesThatAGpuMoves) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  const Schedule schedule = make_schedule("heft", {cost, 2, {}, {}});
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const Profile profile(TrueDevice::facts(), precision);
    const Program program = lower(graph, schedule, lowering_for(precision));
    EXPECT_EQ(make_sim_executor(cost, schedule, &profile)->transfer_bytes(),
              transfer_bytes(program, element_bytes(precision)));
  }
}

}  // namespace
}  // namespace opsched

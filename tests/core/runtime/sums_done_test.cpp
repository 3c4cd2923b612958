// The simulator counts sums that convolutions do, and decides which these are as lowering does.
#include "core/runtime/sim/sums_done.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_residuals.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

/// Number of operators that only add: convolutions do all of it, as decided here and by lowering.
struct Decisions {
  int both = 0, only_lowering = 0, only_here = 0;

  void add(const Graph& graph, const Schedule& schedule) {
    const auto done = sums_done(graph, conv_sums(graph), schedule, slots_of(graph, schedule));
    const Program program = lower(graph, schedule, lowering_for(Precision::fp32));
    for (OpId op : graph.units()) {
      const auto has_several = [](const Term& term) { return term.size() > 1; };
      if (!graph.op(op).layers.empty() || std::ranges::none_of(graph.op(op).terms, has_several)) continue;
      const bool here = !done[op].empty();
      const bool there = std::ranges::none_of(
          program.steps, [&](const Step& step) { return step.op == op && !moves_only(step.kind); });
      both += here && there, only_lowering += there && !here, only_here += here && !there;
    }
  }
};

TEST(SumsDone, AlmostAgreesWithLoweringOnRandomGraphs) {
  Decisions all;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Graph graph = test::RandomResiduals(seed, 8).draw(3 + static_cast<int>(seed % 5));
    all.add(graph, test::random_schedule(graph, 1 + static_cast<int>(seed / 2 % 2),
                                         seed % 2 ? Mode::barrier : Mode::dataflow, seed));
  }
  EXPECT_GT(all.both, 200);
  EXPECT_LT(all.only_here, all.both / 40);
  EXPECT_LT(all.only_lowering, all.both / 8);
}

TEST(SumsDone, AgreesWithLoweringOnGroupsOfEverySize) {
  for (const int in : {8, 16})
    for (const int groups : {1, 2, 4, 8}) {
      Graph graph("g");
      const OpId x = graph.add_input("x", {in, 6, 6}), y = graph.add_input("y", {8, 6, 6});
      const Conv2d conv{.out_channels = 8, .groups = groups};
      const OpId c = graph.add("conv", {graph.all(x)}, {conv});
      graph.add("sum", {{{c, 0, 8}, {y, 0, 8}}}, {});
      graph.end_block("all");
      Decisions decisions;
      decisions.add(graph, test::sequential(graph));
      EXPECT_EQ(decisions.both, is_depthwise(conv, {in, 6, 6}) ? 0 : 1) << in << ' ' << groups;
      EXPECT_EQ(decisions.only_here + decisions.only_lowering, 0) << in << ' ' << groups;
    }
}

/// Of a device whose convolutions do sums.
struct SummingCost : test::TestCost {
  explicit SummingCost(const Graph& graph) : TestCost(graph), sums(opsched::conv_sums(graph)) {}
  std::span<const ConvSum> conv_sums() const override { return sums; }
  ContentionLaw contention_law() override { return law; }
  std::vector<ConvSum> sums;
  ContentionLaw law;
};

/// A convolution of the input, and the sum of both.
struct Residual {
  Graph graph{"g"};
  OpId x = graph.add_input("x", {8, 6, 6});
  OpId conv = graph.add("conv", {graph.all(x)}, {Conv2d{.out_channels = 8}});
  OpId sum = graph.add("sum", {{{conv, 0, 8}, {x, 0, 8}}}, {Activate{}});
  Residual() { graph.end_block("all"); }
};

TEST(SumsDone, TakeTheirShareOfWhatFollowsTheStart) {
  Residual residual;
  SummingCost cost(residual.graph);
  cost.set(residual.conv, 2, 0.5);
  cost.set(residual.sum, 1, 0.5);
  cost.law.sum_share = 0.25;
  cost.law.start_ms = 0.2;
  for (Mode mode : {Mode::barrier, Mode::dataflow}) {
    Schedule schedule = test::sequential(residual.graph);
    schedule.mode = mode;
    EXPECT_DOUBLE_EQ(simulate(cost, schedule).timeline.makespan, 2 + 0.25 * (1 - 0.2));
  }
}

TEST(SumsDone, AMeasuredStageHoldsItsSums) {
  Residual residual;
  SummingCost cost(residual.graph);
  Schedule schedule = test::sequential(residual.graph);
  schedule.devices[0].stages = {{Strategy::concurrent, {{residual.conv, residual.sum}}}};
  EXPECT_DOUBLE_EQ(simulate(cost, schedule).timeline.makespan, cost.stage_ms(schedule.devices[0].stages[0]));
}

TEST(SumsDone, AConvolutionOfAnotherStreamDoesNotWaitForTheResidual) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 6, 6});
  const OpId a = graph.add("a", {graph.all(x)}, {Conv2d{.out_channels = 8}});
  const OpId b = graph.add("b", {graph.all(x)}, {Pool2d{.kernel = {3, 3}, .padding = {1, 1}}});
  const OpId sum = graph.add("sum", {{{a, 0, 8}, {b, 0, 8}}}, {});
  graph.end_block("all");
  Schedule schedule{.graph = "g", .scheduler = "", .mode = Mode::dataflow, .devices = {{}}, .launch_order = {}};
  const auto done = [&](std::vector<Group> streams) {
    schedule.devices[0].stages = {{Strategy::concurrent, std::move(streams)}};
    return sums_done(graph, conv_sums(graph), schedule, slots_of(graph, schedule))[sum];
  };
  EXPECT_EQ(done({{a, sum}, {b}}), std::vector<OpId>{});
  EXPECT_EQ(done({{b, a, sum}}), std::vector<OpId>{a});
}

}  // namespace
}  // namespace opsched

// Which sums the convolution before them does, in small graphs.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/kernel_problem.hpp"
#include "core/runtime/program/verify.hpp"
#include "tests/support/programs.hpp"

namespace opsched {
namespace {

using test::count;
using test::residuals;
using test::sequential;

/// A graph of one block, with short names for what these tests add.
struct SumGraph {
  Graph graph{"g"};
  OpId x = graph.add_input("x", {4, 6, 6});
  OpId conv(OpId from, int channels = 4) {
    return graph.add("conv" + std::to_string(graph.size()), {graph.all(from)}, {Conv2d{.out_channels = channels}});
  }
  OpId sum(std::vector<OpId> of, std::vector<Layer> layers = {}) {
    Term term;
    for (OpId op : of) term.push_back({op, 0, graph.op(op).output.c});
    return graph.add("sum" + std::to_string(graph.size()), {term}, std::move(layers));
  }
  Program lowered(Schedule schedule) {
    schedule.graph = graph.name();
    if (graph.blocks().empty()) graph.end_block("all");
    Program program = lower(graph, schedule, cpu_lowering());
    verify_order(program);
    verify_arena(program);
    return program;
  }
  Program lowered() {
    if (graph.blocks().empty()) graph.end_block("all");
    return lowered(sequential(graph));
  }
};

/// Operators by device and stream.
Schedule on_streams(const std::vector<std::vector<Group>>& devices) {
  Schedule schedule{.graph = "", .scheduler = "", .mode = Mode::dataflow, .devices = {}, .launch_order = {}};
  for (const std::vector<Group>& groups : devices) schedule.devices.push_back({{Stage{Strategy::concurrent, groups}}});
  return schedule;
}

TEST(FusedSums, ActivationsStayOnTheirSideOfTheSum) {
  SumGraph g;
  const OpId a = g.graph.add("a", {g.graph.all(g.x)}, {Conv2d{.out_channels = 4, .act = Activation::relu}});
  g.sum({g.x, a}, {Activate{Activation::tanh}});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 1u);
  EXPECT_EQ(std::get<Conv2d>(program.steps[0].layer).act, Activation::relu);
  EXPECT_EQ(program.steps[0].post, Activation::tanh);
  EXPECT_EQ(program.steps[0].residual, program.inputs[0]);
  EXPECT_EQ(program.steps[0].output, program.outputs[0]);
  EXPECT_EQ(program.buffers.size(), 2u);  // the convolution's own output has none
}

TEST(FusedSums, OneTensorIsAddedToTwoConvolutions) {
  SumGraph g;
  const OpId a = g.conv(g.x, 1), b = g.conv(g.x, 3);
  g.sum({g.graph.add("join", {g.graph.all(a), g.graph.all(b)}, {}), g.x});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 2u);
  for (const Step& step : program.steps) {
    ASSERT_TRUE(step.residual);
    EXPECT_EQ(step.residual->channel, step.output.channel);
    EXPECT_EQ(step.residual->channels, step.output.channels);
  }
}

/// Three branches of two channels each; `pools` says which are no convolutions.
TEST(FusedSums, WhatNoConvolutionCanAddRemainsOneStep) {
  const auto rest = [](const std::vector<int>& pools) {
    SumGraph g;
    const OpId wide = g.graph.add_input("wide", {6, 6, 6});
    std::vector<Term> ends;
    for (const int i : {0, 1, 2}) {
      const Pool2d pool{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}};
      const bool is_pool = std::ranges::count(pools, i) > 0;
      const std::string name = "end" + std::to_string(i);
      ends.push_back(g.graph.all(is_pool ? g.graph.add(name, {{{g.x, 0, 2}}}, {pool}) : g.conv(g.x, 2)));
    }
    g.sum({g.graph.add("join", ends, {}), wide});
    const Program program = g.lowered();
    EXPECT_EQ(count(program, Step::Kind::gather), pools.empty() ? 0 : 1);
    for (const Step& step : program.steps)
      if (step.kind == Step::Kind::gather) return std::pair(step.output.channel, step.output.channels);
    return std::pair(0, 0);
  };
  EXPECT_EQ(rest({}), std::pair(0, 0));
  EXPECT_EQ(rest({0}), std::pair(0, 2));
  EXPECT_EQ(rest({1}), std::pair(2, 2));
  EXPECT_EQ(rest({2}), std::pair(4, 2));
  EXPECT_EQ(rest({0, 2}), std::pair(0, 6));  // two steps would be more than one
}

TEST(FusedSums, TheLaterConvolutionAddsTheEarlier) {
  SumGraph g;
  const OpId a = g.conv(g.x), b = g.conv(g.x);
  g.sum({a, b});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 2u);
  EXPECT_EQ(program.steps[1].op, b);
  EXPECT_EQ(program.steps[1].residual, program.steps[0].output);
}

TEST(FusedSums, ConvolutionsNeverWaitForMore) {
  SumGraph g;
  const OpId a = g.conv(g.x), b = g.conv(g.x), c = g.conv(b), sum = g.sum({a, c});
  EXPECT_EQ(count(g.lowered(on_streams({{{a}, {b, c, sum}}})), Step::Kind::gather), 1);  // in parallel
  EXPECT_EQ(count(g.lowered(on_streams({{{a, b, c, sum}}})), Step::Kind::gather), 0);
}

TEST(FusedSums, WhatFollowedTheSumFollowsTheConvolution) {
  SumGraph g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a}), next = g.conv(g.x), reader = g.conv(sum);
  const Program program = g.lowered(on_streams({{{a}, {sum, next}, {reader}}}));
  ASSERT_EQ(program.steps.size(), 3u);
  EXPECT_EQ(program.steps[0].op, a);
  for (const Step& step : program.steps)
    if (step.op == next || step.op == reader) {
      EXPECT_EQ(step.waits, std::vector{0});
    }
}

TEST(FusedSums, AResidualMayComeFromAnotherDevice) {
  SumGraph g;
  const OpId far = g.conv(g.x), near = g.conv(far), sum = g.sum({far, near}), end = g.conv(sum);
  const Program program = g.lowered(on_streams({{{far}}, {{near, sum}}, {{end}}}));
  EXPECT_EQ(count(program, Step::Kind::gather), 0);
  EXPECT_EQ(residuals(program), 1);
  EXPECT_EQ(count(program, Step::Kind::transfer), 2);
}

TEST(FusedSums, OtherReadersKeepTheSum) {
  const auto gathers = [](const std::function<void(SumGraph&)>& build) {
    SumGraph g;
    build(g);
    return count(g.lowered(), Step::Kind::gather);
  };
  EXPECT_EQ(gathers([](SumGraph& g) { g.sum({g.x, g.conv(g.x)}); }), 0);
  EXPECT_EQ(gathers([](SumGraph& g) {  // another operator
              const OpId a = g.conv(g.x);
              g.sum({g.x, a});
              g.conv(a);
            }),
            1);
  EXPECT_EQ(gathers([](SumGraph& g) {  // the sum itself
              const OpId a = g.conv(g.x);
              g.sum({a, a});
            }),
            1);
  EXPECT_EQ(gathers([](SumGraph& g) { g.sum({g.x, g.conv(g.x), g.conv(g.x)}); }), 1);
  EXPECT_EQ(gathers([](SumGraph& g) {  // no dense convolution
              const Pool2d pool{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}};
              const Conv2d depthwise{.out_channels = 4, .kernel = {3, 3}, .padding = {1, 1}, .groups = 4};
              g.sum({g.graph.add("a", {g.graph.all(g.x)}, {pool}), g.graph.add("b", {g.graph.all(g.x)}, {depthwise})});
            }),
            1);
  EXPECT_EQ(gathers([](SumGraph& g) {  // only some of what the convolution writes
              const OpId a = g.conv(g.x, 5);
              g.graph.add("sum", {{{g.x, 0, 4}, {a, 0, 4}}}, {});
            }),
            1);
}

TEST(FusedSums, SummandsMayShareChannels) {
  SumGraph g;
  const OpId join =
      g.graph.add("join", {g.graph.all(g.conv(g.x, 2)), g.graph.all(g.conv(g.x, 2)), g.graph.all(g.conv(g.x, 2))}, {});
  g.graph.add("sum", {{{join, 0, 4}, {join, 2, 6}}}, {});
  const Program program = g.lowered();
  EXPECT_EQ(residuals(program), 1);  // the last; the sum needs what the second writes twice
  EXPECT_EQ(count(program, Step::Kind::gather), 1);
  const std::vector<Tensor> inputs = {random_tensor(1, g.graph.op(g.x).output, 1)},
                            expected = reference_outputs(g.graph, inputs, 1);
  EXPECT_LT(relative_error(make_cpu_executor(g.graph, program, 1)->run(inputs)[0], expected[0]), 1e-6);
}

TEST(FusedSums, AConvolutionAddsOneTensor) {
  SumGraph g;
  g.sum({g.x, g.sum({g.x, g.conv(g.x)})});
  EXPECT_EQ(count(g.lowered(), Step::Kind::gather), 1);
}

TEST(FusedSums, PaddingIsNotWrittenWhereChannelsAreWanted) {
  SumGraph g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a});
  g.graph.add("join", {g.graph.all(g.conv(g.x)), g.graph.all(sum)}, {});
  g.graph.end_block("all");
  LoweringOptions options = cpu_lowering();
  options.vector_channels = 8;
  const Program program = lower(g.graph, sequential(g.graph), options);
  ASSERT_NO_THROW(verify_order(program));
  const auto fused = std::ranges::find_if(program.steps, [](const Step& step) { return step.residual.has_value(); });
  ASSERT_NE(fused, program.steps.end());
  EXPECT_EQ(fused->output.channels, 4);
  EXPECT_EQ(std::get<Conv2d>(fused->layer).out_channels, 4);
}

TEST(FusedSums, MergedConvolutionsAddToAllTheirChannels) {
  SumGraph g;
  const OpId a = g.conv(g.x, 1), b = g.conv(g.x, 3);
  const OpId join = g.graph.add("join", {g.graph.all(a), g.graph.all(b)}, {}), sum = g.sum({join, g.x});
  g.graph.end_block("all");
  Schedule schedule = sequential(g.graph);
  schedule.devices[0].stages = {{Strategy::merge, {{a, b}}}, {Strategy::concurrent, {{join, sum}}}};
  const Program program = g.lowered(schedule);
  ASSERT_EQ(program.steps.size(), 1u);
  EXPECT_EQ(program.steps[0].weights.size(), 2u);
  EXPECT_EQ(program.steps[0].residual, program.inputs[0]);
}

TEST(FusedSums, AllReplicasOfAStageKeepWhatLeavesIt) {
  SumGraph g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a});
  g.conv(a);
  g.graph.end_block("all");
  const Stage stage{Strategy::concurrent, {{a, sum}}};
  const Program program = lower_stages(g.graph, {&stage, 1}, 3, cpu_lowering());
  EXPECT_EQ(count(program, Step::Kind::gather), 3);
  EXPECT_EQ(residuals(program), 0);
}

TEST(FusedSums, KeysNameTheResidual) {
  SumGraph g;
  g.sum({g.x, g.conv(g.x)}, {Activate{}});
  const Program program = g.lowered();
  const auto key = [&](const Step& step) {
    return make_problem(program, step, Precision::fp32, TensorFormat::nchw).key();
  };
  Step step = program.steps.at(0);
  const std::string whole = key(step);
  EXPECT_NE(whole.find(" residual:"), std::string::npos);
  step.post = Activation::none;
  EXPECT_NE(key(step), whole);
  step.residual.reset();
  EXPECT_EQ(key(step).find("residual"), std::string::npos);
}

}  // namespace
}  // namespace opsched

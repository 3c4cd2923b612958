// Affine layers that a 1x1 convolution applies while it reads: lowering and results.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/program.hpp"
#include "tests/support/dense_block.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

using test::count;
using test::random_schedule;
using test::sequential;

TEST(Program, PointwiseConvolutionsDoTheAffineLayerBeforeThem) {
  const Graph graph = test::dense_block(8, 4, 5, 1);
  const Schedule schedule = sequential(graph);
  const Program apart = lower(graph, schedule, {}), fused = lower(graph, schedule, lowering_for(Precision::fp32));
  EXPECT_EQ(count(apart, Step::Kind::depthwise), 6);
  EXPECT_EQ(count(fused, Step::Kind::depthwise), 0);
  EXPECT_EQ(count(fused, Step::Kind::conv), 11);
  int affine = 0;
  for (const Step& step : fused.steps) {
    if (!step.affine) continue;
    ++affine;
    EXPECT_EQ(step.weights, std::vector<WeightRef>({{step.op, 1}}));
    EXPECT_EQ(*step.affine, (WeightRef{step.op, 0}));
    EXPECT_EQ(step.pre, graph.op(step.op).name == "narrow2" ? Activation::none : Activation::relu);
  }
  EXPECT_EQ(affine, 6);
}

TEST(Program, AnAffineLayerIsAStepBeforeWhatPadsOrIsNoConvolution) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 5, 5});
  const Conv2d affine{.out_channels = 8, .groups = 8, .act = Activation::relu};
  graph.add("pads", {graph.all(x)}, {affine, Conv2d{.out_channels = 2, .padding = {0, 1}}});
  graph.add("pads at the end", {graph.all(x)}, {affine, Conv2d{.out_channels = 2, .more_padding = {1, 0}}});
  graph.add("window", {graph.all(x)}, {affine, Conv2d{.out_channels = 2, .kernel = {1, 2}}});
  graph.add("groups", {graph.all(x)}, {affine, Conv2d{.out_channels = 2, .groups = 2}});
  graph.add("pool", {graph.all(x)}, {affine, Pool2d{.kernel = {2, 2}}});
  graph.add("other", {graph.all(x)},
            {Conv2d{.out_channels = 8, .groups = 8, .act = Activation::tanh}, Conv2d{.out_channels = 2}});
  graph.add("activated", {graph.all(x)}, {Activate{}, affine, Conv2d{.out_channels = 2}});
  graph.end_block("all");
  const Program program = lower(graph, sequential(graph), lowering_for(Precision::fp32));
  EXPECT_EQ(program.steps.size(), 14u);
  EXPECT_TRUE(std::ranges::none_of(program.steps, [](const Step& step) { return step.affine.has_value(); }));
}

TEST(Program, AffineLayersComputeWhatTheReferenceComputes) {
  int affine = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const int numbers = static_cast<int>(seed);
    const Graph graph = test::dense_block(3 + numbers % 6, 2 + numbers % 5, 1 + numbers % 4, 1 + numbers % 2);
    const Schedule schedule = random_schedule(graph, 1 + seed % 3, seed % 2 ? Mode::barrier : Mode::dataflow, seed);
    Program program = lower(graph, schedule, lowering_for(Precision::fp32));
    for (const Step& step : program.steps) affine += step.affine.has_value();
    const std::vector<Tensor> inputs{random_tensor(graph.batch(), graph.op(0).output, seed)};
    const Tensor got = make_cpu_executor(graph, std::move(program), seed)->run(inputs).front();
    ASSERT_LT(relative_error(got, reference_outputs(graph, inputs, seed).front()), 1e-5) << "seed " << seed;
  }
  EXPECT_GT(affine, 60);
}

}  // namespace
}  // namespace opsched

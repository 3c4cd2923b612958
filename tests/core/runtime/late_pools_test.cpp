// Averages behind the pointwise convolutions that read them.
#include "core/runtime/program/late_pools.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/verify.hpp"
#include "networks/network.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/stage_values.hpp"

namespace opsched {
namespace {

using test::random_schedule;

/// Blocks like those of Inception: convolutions, and an average before a pointwise convolution, side by side.
class RandomAverages {
 public:
  explicit RandomAverages(std::uint64_t seed) : random_(seed), graph_("random averages", 1 + random_.below(2)) {}

  Graph draw(int blocks) {
    Term x = conv(graph_.all(graph_.add_input("in", {3, 7 + random_.below(3), 6 + random_.below(3)})), 8, 3);
    for (int b = 0; b < blocks; ++b) {
      std::vector<Term> parts = {conv(x, 1 + random_.below(9), 1)};
      for (int i = 1 + random_.below(2); i > 0; --i) {
        const Term average = add(x, {average_pool()});
        parts.push_back(conv(average, 1 + random_.below(12), random_.chance(80) ? 1 : 3));
        if (random_.chance(15)) parts.push_back(average);  // something else reads it
      }
      x = graph_.all(graph_.add("block" + std::to_string(b), parts, {}));
    }
    return graph_;
  }

 private:
  Pool2d average_pool() {
    return {.type = random_.chance(90) ? PoolType::avg : PoolType::max,
            .kernel = {3, 3},
            .padding = {1, 1},
            .count_padding = random_.chance(50)};
  }
  Term add(const Term& x, std::vector<Layer> layers) {
    if (random_.chance(20)) layers.insert(layers.begin(), Activate{});
    return graph_.all(graph_.add("op" + std::to_string(graph_.size()), {x}, std::move(layers)));
  }
  Term conv(const Term& x, int out, int kernel) {
    const Activation act = random_.chance(60)   ? Activation::relu
                           : random_.chance(60) ? Activation(Activation::none)
                                                : Activation(Activation::tanh);
    return graph_.all(graph_.add(
        "conv" + std::to_string(graph_.size()), {x},
        {Conv2d{.out_channels = out, .kernel = {kernel, kernel}, .padding = {kernel / 2, kernel / 2}, .act = act}}));
  }

  test::Random random_;
  Graph graph_;
};

int late_pools(const Program& program) {
  return static_cast<int>(std::ranges::count_if(
      program.steps, [](const Step& step) { return step.kind == Step::Kind::pool && !step.weights.empty(); }));
}

std::vector<Tensor> inputs_of(const Graph& graph, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (OpId op : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(op).output, seed++));
  return inputs;
}

/// Options with which the program is right on the CPU.
LoweringOptions some_options(std::uint64_t seed) {
  LoweringOptions options = seed % 4 ? cpu_lowering() : lowering_for(Precision::fp32);
  options.vector_channels = seed % 8 < 4 ? 1 : 8;
  options.fusion.pool_bias = true;
  return options;
}

TEST(LatePools, ComputeWhatTheReferenceComputes) {
  int late = 0, pools = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Graph graph = RandomAverages(seed).draw(2 + seed % 4);
    const Graph split = graph.with_splits(test::random_splits(graph, seed % 3 == 0 ? 30 : 0, seed));
    Schedule schedule = random_schedule(split, 1 + seed / 2 % 3, seed % 2 ? Mode::barrier : Mode::dataflow, seed);
    schedule.splits = split.splits();
    LoweringOptions options = some_options(seed);
    const Program program = lower(graph, schedule, options);
    options.fusion.pool_bias = false;
    const Program plain = lower(graph, schedule, options);
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
    ASSERT_EQ(program.steps.size(), plain.steps.size());
    ASSERT_EQ(test::count(program, Step::Kind::pool), test::count(plain, Step::Kind::pool));
    ASSERT_EQ(transfer_bytes(program, 4), transfer_bytes(plain, 4));
    late += late_pools(program), pools += test::count(program, Step::Kind::pool);
    const std::vector<Tensor> inputs = inputs_of(graph, seed), expected = reference_outputs(graph, inputs, seed),
                              outputs = make_cpu_executor(graph, program, seed)->run(inputs);
    ASSERT_EQ(outputs.size(), expected.size());
    for (std::size_t i = 0; i < outputs.size(); ++i)
      ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
  }
  EXPECT_GT(late, 100);
  EXPECT_GT(pools, late + 100);
}

TEST(LatePools, StagesApartGiveTheReference) {
  int late = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph = RandomAverages(seed).draw(3);
    std::vector<Tensor> values;
    reference_outputs(graph, inputs_of(graph, seed), seed, [&](OpId, const Tensor& t) { values.push_back(t); });
    const Schedule schedule = random_schedule(graph, 1, Mode::barrier, seed);
    for (const Stage& stage : schedule.devices[0].stages) {
      const auto [inputs, expected] = test::values_of(graph, stage, values);
      Program program = lower_stages(graph, {&stage, 1}, 2, some_options(seed));
      late += late_pools(program);
      const std::vector<Tensor> outputs = make_cpu_executor(graph, std::move(program), seed)->run(inputs);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed;
    }
  }
  EXPECT_GT(late, 20);
}

/// One average and one pointwise convolution of 16 channels; each argument changes one thing that matters.
struct Pair {
  int channels = 4, kernel = 1, stride = 1;
  PoolType type = PoolType::avg;
  Activation act = Activation::relu;
  bool read_twice = false;
};

int late_in(const Pair& pair) {
  Graph graph("pair");
  const OpId x = graph.add_input("x", {16, 8, 8});
  const OpId pool =
      graph.add("pool", {graph.all(x)},
                {Pool2d{.type = pair.type, .kernel = {3, 3}, .stride = {pair.stride, pair.stride}, .padding = {1, 1}}});
  graph.add("conv", {graph.all(pool)},
            {Conv2d{.out_channels = pair.channels,
                    .kernel = {pair.kernel, pair.kernel},
                    .padding = {pair.kernel / 2, pair.kernel / 2},
                    .act = pair.act}});
  if (pair.read_twice) graph.add("other", {graph.all(pool)}, {Conv2d{.out_channels = 4}});
  return late_pools(lower(graph, test::sequential(graph), lowering_for(Precision::fp32)));
}

TEST(LatePools, OnlyWhereTheyPayAndNothingElseReadsThem) {
  EXPECT_EQ(late_in({}), 1);
  EXPECT_EQ(late_in({.act = Activation::none}), 1);
  EXPECT_EQ(late_in({.channels = 16}), 0);
  EXPECT_EQ(late_in({.kernel = 3}), 0);
  EXPECT_EQ(late_in({.stride = 2}), 0);
  EXPECT_EQ(late_in({.type = PoolType::max}), 0);
  EXPECT_EQ(late_in({.act = Activation::tanh}), 0);
  EXPECT_EQ(late_in({.read_twice = true}), 0);
}

TEST(LatePools, OfInception) {
  const Graph graph = make_network("inception_v3", {.batch = 2, .image = 299});
  const Program program = lower(graph, test::sequential(graph), lowering_for(Precision::fp16));
  EXPECT_EQ(late_pools(program), 9);
  for (const Step& step : program.steps) {
    if (step.kind != Step::Kind::pool || step.weights.empty()) continue;
    EXPECT_LE(step.inputs.front().channels, 192);
  }
}

}  // namespace
}  // namespace opsched

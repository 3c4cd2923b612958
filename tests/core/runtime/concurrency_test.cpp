// Which steps of a program may run at the same time as others.
#include "core/runtime/program/concurrency.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/kernel_problem.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

int concurrent_steps(const Program& program) {
  return static_cast<int>(std::ranges::count_if(program.steps, &Step::concurrent));
}

TEST(Concurrency, StepsWithoutAnOrderBetweenThem) {
  int concurrent = 0, alone = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1 + seed % 3);
    const Mode mode = seed % 2 ? Mode::barrier : Mode::dataflow;
    LoweringOptions options = lowering_for(Precision::fp16);
    options.fusion.conv_residual = seed % 4 < 2;
    const Program program = lower(graph, test::random_schedule(graph, 1 + seed / 3 % 3, mode, seed), options);
    const Order order = order_of(program);
    for (int i = 0; i < order.size(); ++i) {
      const Step& step = program.steps[i];
      bool expected = false;
      for (int other = 0; other < order.size() && !moves_only(step.kind); ++other)
        expected |= other != i && program.steps[other].device == step.device &&
                    !moves_only(program.steps[other].kind) && !order.before(i, other) && !order.before(other, i);
      ASSERT_EQ(step.concurrent, expected) << "seed " << seed << ", step " << i;
      (expected ? concurrent : alone) += 1;
      if (moves_only(step.kind)) continue;
      ASSERT_EQ(make_problem(program, step, Precision::fp16, TensorFormat::nhwc).concurrent, expected);
    }
  }
  EXPECT_GT(concurrent, 300);
  EXPECT_GT(alone, 300);
}

/// The number of steps in the longest chain that `step` is part of.
int chain_through(const Order& order, int step) {
  std::vector<int> before(order.size(), 0), after(order.size(), 0);  // steps in the longest chain that ends or begins
  for (int i = 0; i < order.size(); ++i)
    for (int j = 0; j < i; ++j)
      if (order.before(j, i)) before[i] = std::max(before[i], before[j] + 1);
  for (int i = order.size() - 1; i >= 0; --i)
    for (int j = i + 1; j < order.size(); ++j)
      if (order.before(i, j)) after[i] = std::max(after[i], after[j] + 1);
  return before[step] + after[step] + 1;
}

TEST(Concurrency, TheLongestChainMayComeFirst) {
  int first = 0, concurrent = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    const Schedule schedule = test::random_schedule(graph, 1 + seed % 2, Mode::dataflow, seed);
    LoweringOptions options = lowering_for(Precision::fp16);
    options.longest_chain = LongestChain::shares;
    const Program shares = lower(graph, schedule, options);
    options.longest_chain = LongestChain::comes_first;
    const Program comes_first = lower(graph, schedule, options);
    const Order order = order_of(shares);
    int longest = 0;
    for (int i = 0; i < order.size(); ++i) longest = std::max(longest, chain_through(order, i));
    for (int i = 0; i < order.size(); ++i) {
      const bool on_chain = chain_through(order, i) == longest;
      ASSERT_EQ(comes_first.steps[i].concurrent, shares.steps[i].concurrent && !on_chain) << "seed " << seed;
      first += shares.steps[i].concurrent && on_chain, concurrent += comes_first.steps[i].concurrent;
    }
  }
  EXPECT_GT(first, 50);
  EXPECT_GT(concurrent, 50);
}

TEST(Concurrency, LargeStepsNeedNotLeaveRoom) {
  int large = 0, small = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(2);
    const Schedule schedule = test::random_schedule(graph, 1, Mode::dataflow, seed);
    LoweringOptions options = lowering_for(Precision::fp16);
    options.fusion.conv_residual = false;
    const Program shares = lower(graph, schedule, options);
    options.fills_from = 1000;
    const Program fills = lower(graph, schedule, options);
    for (std::size_t i = 0; i < fills.steps.size(); ++i) {
      const bool is_small = elements_written(fills, fills.steps[i]) < 1000;
      ASSERT_EQ(fills.steps[i].concurrent, shares.steps[i].concurrent && is_small) << "seed " << seed;
      (is_small ? small : large) += shares.steps[i].concurrent;
    }
  }
  EXPECT_GT(large, 50);
  EXPECT_GT(small, 50);
}

TEST(Concurrency, NoneInASequentialSchedule) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(2);
    EXPECT_EQ(concurrent_steps(lower(graph, test::sequential(graph), lowering_for(Precision::tf32))), 0);
  }
}

TEST(Concurrency, StagesOfOneGroupAndOfTwo) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 4, 4});
  const OpId a = graph.add("a", {graph.all(x)}, {Conv2d{.out_channels = 4}});
  const OpId b = graph.add("b", {graph.all(x)}, {Conv2d{.out_channels = 4}});
  graph.end_block("all");
  const Stage one{.strategy = Strategy::concurrent, .groups = {{a, b}}};
  const Stage two{.strategy = Strategy::concurrent, .groups = {{a}, {b}}};
  const Stage stages[] = {one, two};
  const Program program = lower_stages(graph, stages, 3, lowering_for(Precision::fp16));
  ASSERT_EQ(program.steps.size(), 12u);
  for (std::size_t i = 0; i < program.steps.size(); ++i) EXPECT_EQ(program.steps[i].concurrent, i % 4 >= 2) << i;
  EXPECT_NE(make_problem(program, program.steps[0], Precision::fp16, TensorFormat::nhwc).key(),
            make_problem(program, program.steps[2], Precision::fp16, TensorFormat::nhwc).key());
}

}  // namespace
}  // namespace opsched

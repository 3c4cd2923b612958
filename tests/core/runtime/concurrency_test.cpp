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
    const Program program =
        lower(graph, test::random_schedule(graph, 1 + seed / 3 % 3, mode, seed), lowering_for(Precision::fp16));
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

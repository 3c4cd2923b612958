// What the steps of a program ask of kernels.
#include "core/runtime/program/kernel_problem.hpp"

#include <gtest/gtest.h>

#include <map>

#include "core/runtime/program/gpu_lowering.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"

namespace opsched {
namespace {

TEST(KernelProblem, EqualKeysMeanEqualProblems) {
  std::map<std::string, Problem> problems;
  int again = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Graph graph = test::RandomGraph(seed).draw(10);
    for (Precision precision : kPrecisions) {
      const Program program =
          lower(graph, test::random_schedule(graph, 1, Mode::dataflow, seed), lowering_for(precision));
      for (const Step& step : program.steps) {
        const Problem problem = make_problem(program, step, precision, preferred_format(precision), graph.batch());
        const auto [it, fresh] = problems.emplace(problem.key(), problem);
        again += !fresh;
        ASSERT_EQ(it->second, problem) << problem.key();
      }
    }
  }
  EXPECT_GT(again, 50);
}

TEST(KernelProblem, ProductsEndInTheirActivation) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 4, 4}), gate = graph.add_input("gate", {8, 1, 1});
  graph.add("op", {graph.all(x), graph.all(gate)}, {Activate{Activation::hard_swish}}, Combine::product);
  graph.end_block("all");
  const Program program = lower(graph, test::random_schedule(graph, 1, Mode::barrier, 1), {});
  ASSERT_EQ(program.steps.size(), 1u);
  EXPECT_EQ(program.steps[0].kind, Step::Kind::multiply);
  EXPECT_EQ(program.steps[0].pre, Activation::hard_swish);
  const Problem problem = make_problem(program, program.steps[0], Precision::fp16, TensorFormat::nhwc, 1);
  EXPECT_EQ(problem.inputs[1].c, 1);
  EXPECT_EQ(problem.inputs[1].h, 0);
  EXPECT_EQ(problem.inputs[1].w, 0);
}

}  // namespace
}  // namespace opsched

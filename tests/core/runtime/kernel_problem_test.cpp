// The kernel problems of a program's steps.
#include "core/runtime/program/kernel_problem.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/runtime/program/gpu_lowering.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"
#include "tests/support/random_residuals.hpp"
#include "tests/support/random_splits.hpp"

namespace opsched {
namespace {

TEST(KernelProblem, EqualKeysMeanEqualProblems) {
  std::map<std::string, Problem> problems;
  int again = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Graph graph = seed % 3 ? test::RandomGraph(seed).draw(10) : test::RandomResiduals(seed).draw(3);
    for (Precision precision : kPrecisions) {
      LoweringOptions options = lowering_for(precision);
      options.fusion.conv_residual = true;
      const Program program = lower(graph, test::random_schedule(graph, 1, Mode::dataflow, seed), options);
      for (const Step& step : program.steps) {
        const Problem problem = make_problem(program, step, precision, preferred_format(precision));
        const auto [it, fresh] = problems.emplace(problem.key(), problem);
        again += !fresh;
        ASSERT_EQ(it->second, problem) << problem.key();
      }
    }
  }
  EXPECT_GT(again, 50);
}

/// Elements of a buffer that a tensor of this layout at this place covers: `images` of this shape.
std::set<std::int64_t> elements(std::int64_t at, const TensorLayout& t, const Shape& shape, int images) {
  std::set<std::int64_t> all;
  for (int n = 0; n < images; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int h = 0; h < shape.h; ++h)
        for (int w = 0; w < shape.w; ++w) all.insert(at + n * t.n + c * t.c + h * t.h + w * t.w);
  return all;
}

/// The same, from the channels, images and rows of a view.
std::set<std::int64_t> elements(const View& view, const Shape& whole, TensorFormat format, int image, int images) {
  std::set<std::int64_t> all;
  const bool nchw = format == TensorFormat::nchw;
  for (int n = image; n < image + images; ++n)
    for (int c = view.channel; c < view.channel + view.channels; ++c)
      for (int h = view.region.rows.begin; h < view.region.rows.end; ++h)
        for (int w = 0; w < whole.w; ++w)
          all.insert(nchw ? ((std::int64_t{n} * whole.c + c) * whole.h + h) * whole.w + w
                          : ((std::int64_t{n} * whole.h + h) * whole.w + w) * whole.c + c);
  return all;
}

TEST(KernelProblem, LaunchesOfStripsReadAndWriteTheirViews) {
  int one_by_one = 0, together = 0, residuals = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph =
        (seed % 3 ? test::RandomCnn(seed).draw(1) : test::RandomResiduals(seed).draw(8)).with_batch(2 + seed % 3);
    const std::vector<Split> splits = test::random_splits(graph, 70, seed);
    Schedule schedule = test::random_schedule(graph.with_splits(splits), 2, Mode::dataflow, seed);
    schedule.splits = splits;
    const Precision precision = kPrecisions[seed % kPrecisions.size()];
    const TensorFormat format = preferred_format(precision);
    LoweringOptions options = lowering_for(precision);
    options.fusion.conv_residual = true;
    const Program program = lower(graph, schedule, options);
    for (const Step& step : program.steps) {
      if (step.kind == Step::Kind::transfer) continue;
      const int at_once = images_at_once(program, step), images = step.output.region.images.size();
      const Problem problem = make_problem(program, step, precision, format);
      ASSERT_EQ(problem.batch, at_once);
      one_by_one += images > at_once, together += at_once > 1;
      const auto check = [&](const View& view, const TensorLayout& layout, int image) {
        const Shape whole = program.buffers[view.buffer].shape;
        Region from = view.region;
        from.images.begin += image;
        ASSERT_EQ(
            elements(slice_offset(whole, view.channel, format, 1, from), layout, shape_of(program, view), at_once),
            elements(view, whole, format, from.images.begin, at_once))
            << "seed " << seed << ", " << problem.key();
        ASSERT_EQ(slice_offset(whole, view.channel, format, element_bytes(precision), from) % layout.alignment, 0)
            << "image " << image << ", seed " << seed << ", " << problem.key();
      };
      for (int image = 0; image < images; image += at_once) {
        check(step.output, problem.result, image);
        for (std::size_t i = 0; i < step.inputs.size(); ++i) check(step.inputs[i], problem.inputs[i], image);
        ASSERT_EQ(step.residual.has_value(), problem.residual.has_value());
        if (step.residual) check(*step.residual, *problem.residual, image), ++residuals;
      }
    }
  }
  EXPECT_GT(one_by_one, 100);
  EXPECT_GT(together, 100);
  EXPECT_GT(residuals, 10);
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
  const Problem problem = make_problem(program, program.steps[0], Precision::fp16, TensorFormat::nhwc);
  EXPECT_EQ(problem.inputs[1].c, 1);
  EXPECT_EQ(problem.inputs[1].h, 0);
  EXPECT_EQ(problem.inputs[1].w, 0);
}

}  // namespace
}  // namespace opsched

// Concatenations that contain earlier ones, as in DenseNet: the earlier ones are slices of the later ones.
#include <gtest/gtest.h>

#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/verify.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_inputs.hpp"
#include "tests/support/random_splits.hpp"

namespace opsched {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kFewer = 5;
#else
constexpr int kFewer = 1;
#endif

/// Layers that read the concatenation of all previous outputs. `grow` adds an output to the terms.
template <class Grow>
Graph growing(int layers, const Grow& grow, int growth = 4) {
  Graph graph("growing");
  const OpId in = graph.add_input("in", {3, 8, 6});
  std::vector<Term> terms{graph.all(graph.add("stem", {graph.all(in)}, {Conv2d{.out_channels = 8}}))};
  for (int i = 0; i < layers; ++i) {
    const std::string name = std::to_string(i);
    const OpId join = graph.add("join" + name, terms, {});
    const OpId layer = graph.add("layer" + name, {graph.all(join)}, {Conv2d{.out_channels = growth}});
    grow(terms, graph.all(layer));
  }
  graph.add("join", terms, {});
  return graph;
}

TEST(GrowingJoins, CostNoCopies) {
  for (const bool at_end : {true, false}) {
    const Graph graph = growing(5, [&](std::vector<Term>& terms, Term more) {
      terms.insert(at_end ? terms.end() : terms.begin(), std::move(more));
    });
    const Program program = lower(graph, test::sequential(graph), {});
    EXPECT_EQ(test::count(program, Step::Kind::gather), 0);
    EXPECT_EQ(program.buffers.size(), 2u);  // the input's and one for everything else
  }
}

TEST(GrowingJoins, AreCopiedIfSlicesWouldNotBeAligned) {
  for (const int growth : {4, 8}) {
    const Graph graph = growing(
        5, [](std::vector<Term>& terms, Term more) { terms.push_back(std::move(more)); }, growth);
    const Program program = lower(graph, test::sequential(graph), {.vector_channels = 8});
    EXPECT_EQ(test::count(program, Step::Kind::gather) > 0, growth == 4);
  }
}

TEST(GrowingJoins, WithoutAllOfAnEarlierOneAreCopied) {
  const Graph graph = growing(4, [](std::vector<Term>& terms, Term more) {
    terms.push_back(std::move(more));
    if (terms.size() == 3) terms.erase(terms.begin());
  });
  EXPECT_GT(test::count(lower(graph, test::sequential(graph), {}), Step::Kind::gather), 0);
}

/// Draws convolutions, sums and concatenations of one image size. A concatenation mostly extends the terms of an
/// earlier one, at either end or in the middle.
Graph draw_growing(std::uint64_t seed) {
  test::Random random(seed);
  Graph graph("growing " + std::to_string(seed), 1 + random.below(2));
  const OpId in = graph.add_input("in", {4, 6, 5});
  std::vector<OpId> ops{in};
  std::vector<std::vector<Term>> joins;
  const auto conv = [&](OpId of, int number) {
    const int taps = random.chance(50) ? 3 : 1;
    ops.push_back(graph.add("conv" + std::to_string(number), {graph.all(of)},
                            {Conv2d{.out_channels = 1 + random.below(9),
                                    .kernel = {taps, taps},
                                    .padding = {taps / 2, taps / 2},
                                    .act = random.chance(50) ? Activation::relu : Activation::none}}));
  };
  conv(in, 0);
  for (int i = 1, n = 4 + random.below(9); i < n; ++i) {
    if (random.chance(55)) {
      conv(random.pick(ops), i);
      continue;
    }
    std::vector<Term> terms = joins.empty() || random.chance(20) ? std::vector<Term>{} : random.pick(joins);
    for (int more = 1 + random.below(2); more > 0; --more)
      terms.insert(terms.begin() + random.below(static_cast<int>(terms.size()) + 1), graph.all(random.pick(ops)));
    if (random.chance(80)) {
      ops.push_back(graph.add("join" + std::to_string(i), terms, {}));
    } else {  // concatenates as it reads
      ops.push_back(graph.add("end" + std::to_string(i), terms, {Conv2d{.out_channels = 1 + random.below(9)}}));
    }
    joins.push_back(std::move(terms));
  }
  return graph;
}

TEST(GrowingJoins, EveryScheduleGivesTheReference) {
  int nested = 0, merges = 0, transfers = 0, splits = 0;
  for (std::uint64_t seed = 0; seed < 600 / kFewer; ++seed) {
    const Graph whole = draw_growing(seed);
    const Graph split = whole.with_splits(test::random_splits(whole, seed % 3 == 0 ? 40 : 0, seed));
    Schedule schedule = test::random_schedule(split, 1 + seed / 2 % 3, seed % 2 ? Mode::barrier : Mode::dataflow, seed);
    schedule.splits = split.splits();
    for (const DeviceSchedule& device : schedule.devices)
      merges += static_cast<int>(std::ranges::count_if(device.stages, [](const Stage& s) { return s.is_merge(); }));
    splits += static_cast<int>(schedule.splits.size());
    Program program = lower(whole, schedule, {.vector_channels = seed % 4 < 2 ? 1 : 8});
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
    transfers += test::count(program, Step::Kind::transfer);
    for (const Step& step : program.steps) nested += step.output.channels < program.buffers[step.output.buffer].shape.c;
    const auto executor = make_cpu_executor(whole, std::move(program), seed);
    for (int run = 0; run < 2; ++run) {  // memory is filled with NaN
      const std::vector<Tensor> inputs = test::random_inputs(whole, 100 * seed + run);
      const std::vector<Tensor> outputs = executor->run(inputs), expected = reference_outputs(whole, inputs, seed);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
    }
  }
  EXPECT_GT(nested, 500 / kFewer);
  EXPECT_GT(merges, 50 / kFewer);
  EXPECT_GT(transfers, 500 / kFewer);
  EXPECT_GT(splits, 100 / kFewer);
}

}  // namespace
}  // namespace opsched

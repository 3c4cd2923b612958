// Schedules that split operators: their results, memory layout and transfers.
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/verify.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "core/schedule/schedule_json.hpp"
#include "core/schedule/schedule_text.hpp"
#include "tests/support/random_graph.hpp"
#include "tests/support/random_inputs.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/stage_values.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::random_inputs;
using test::random_schedule;
using test::random_splits;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kFewer = 5;
#else
constexpr int kFewer = 1;
#endif

struct SplitCase {
  Graph whole;
  Schedule schedule;
  LoweringOptions options;
  explicit SplitCase(std::uint64_t seed)
      : whole(seed % 3 < 2 ? test::RandomCnn(seed).draw(1 + seed % 3) : test::RandomGraph(seed).draw(12)) {
    const Graph split = whole.with_splits(random_splits(whole, 20 + 20 * (seed % 5), seed));
    const Mode mode = seed % 2 ? Mode::barrier : Mode::dataflow;
    schedule = random_schedule(split, 1 + seed / 2 % 4, mode, seed);
    schedule.splits = split.splits();
    options.vector_channels = seed % 4 < 2 ? 1 : 8;
    options.fusion.conv_sum = options.fusion.conv_pre = options.fusion.conv_affine = seed % 5 < 2;
  }
};

TEST(SplitProgram, ReferencesOfSplitGraphsAreThoseOfTheWhole) {
  int splits = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewer; ++seed) {
    const SplitCase c(seed);
    const std::vector<Tensor> inputs = random_inputs(c.whole, seed);
    const std::vector<Tensor> expected = reference_outputs(c.whole, inputs, seed);
    const std::vector<Tensor> outputs = reference_outputs(*scheduled_graph(c.whole, c.schedule), inputs, seed);
    splits += static_cast<int>(c.schedule.splits.size());
    ASSERT_EQ(outputs.size(), expected.size());
    for (std::size_t i = 0; i < outputs.size(); ++i)
      ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
  }
  EXPECT_GT(splits, 200 / kFewer);
}

TEST(SplitProgram, EveryScheduleGivesTheReferenceOfTheWhole) {
  int splits = 0, padded = 0, transfers = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewer; ++seed) {
    const SplitCase c(seed);
    Program program = lower(c.whole, c.schedule, c.options);
    splits += static_cast<int>(c.schedule.splits.size());
    for (const Buffer& buffer : program.buffers) padded += buffer.padding > 0;
    for (const Step& step : program.steps) transfers += step.kind == Step::Kind::transfer;
    const auto executor = make_cpu_executor(c.whole, std::move(program), seed);
    for (int run = 0; run < 2; ++run) {  // memory is filled with NaN
      const std::vector<Tensor> inputs = random_inputs(c.whole, 100 * seed + run);
      const std::vector<Tensor> outputs = executor->run(inputs), expected = reference_outputs(c.whole, inputs, seed);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
    }
  }
  EXPECT_GT(splits, 500 / kFewer);
  EXPECT_GT(padded, 300 / kFewer);
  EXPECT_GT(transfers, 1000 / kFewer);
}

TEST(SplitProgram, OrderAndMemoryHold) {
  for (std::uint64_t seed = 0; seed < 250 / kFewer; ++seed) {
    const SplitCase c(seed);
    const Program program = lower(c.whole, c.schedule, c.options);
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
  }
}

TEST(SplitProgram, StagesApartGiveTheReference) {
  for (std::uint64_t seed = 1; seed < 120 / kFewer; seed += 2) {
    const SplitCase c(seed);
    const std::shared_ptr<const Graph> split = scheduled_graph(c.whole, c.schedule);
    std::vector<Tensor> values(split->size());
    reference_outputs(*split, random_inputs(*split, seed), seed, [&](OpId op, const Tensor& t) { values[op] = t; });
    const Schedule schedule = random_schedule(*split, 1, Mode::barrier, seed);
    for (const Stage& stage : schedule.devices[0].stages) {
      const auto [inputs, expected] = test::values_of(*split, stage, values);
      const auto executor = make_cpu_executor(*split, lower_stages(*split, {&stage, 1}, 2, c.options), seed);
      const std::vector<Tensor> outputs = executor->run(inputs);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed;
    }
  }
}

/// in -> a -> b -> c, 3x3 convolutions of 4 channels on 16x16 pixels; a and b in two strips, one on each device.
struct Halves {
  Graph graph{"halves"};
  Schedule schedule{.mode = Mode::dataflow};
  explicit Halves(int batch = 1) : graph("halves", batch) {
    OpId last = graph.add_input("in", {4, 16, 16});
    for (const char* name : {"a", "b", "c"}) {
      const Conv2d conv{.out_channels = 4, .kernel = {3, 3}, .padding = {1, 1}};
      last = graph.add(name, {graph.all(last)}, {conv});
    }
    graph.end_block("all");
    schedule.splits = {{1, {8}}, {2, {8}}};
    const auto id = [split = graph.with_splits(schedule.splits)](const char* name) { return split.find(name); };
    schedule.devices = {{.stages = {{.groups = {{id("a/0"), id("b/0"), id("c")}}}}},
                        {.stages = {{.groups = {{id("a/1"), id("b/1")}}}}}};
  }
};

TEST(SplitProgram, OnlyHalosTravel) {
  for (int batch : {1, 3}) {
    const Halves halves(batch);
    const Program program = lower(halves.graph, halves.schedule, {});
    constexpr int row = 4 * 16 * 4;  // bytes
    // The lower half of the input and a row above it; one row of a in each direction; the lower half of b.
    EXPECT_EQ(transfer_bytes(program, 4), batch * row * (9 + 2 + 8));
    for (const Step& step : program.steps) EXPECT_NE(step.kind, Step::Kind::gather);
  }
}

/// The sum of the strips of a global average.
bool adds_strips(const Graph& graph, OpId op) { return graph.strip(graph.op(op).terms.front().front().op) >= 0; }

TEST(SplitProgram, StripsOfOneDeviceCopyNothing) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph whole = test::RandomCnn(seed).draw(2);
    const Graph split = whole.with_splits(random_splits(whole, 100, seed));
    const auto in_order = [](const Graph& graph) {
      Schedule schedule{.mode = Mode::dataflow, .devices = {{.stages = {{.groups = {graph.units()}}}}}};
      schedule.splits = graph.splits();
      return schedule;
    };
    const LoweringOptions options{.fusion = {true, true, true, true, true, true, true}};
    const auto copied = [&](const Graph& graph) {
      const Program program = lower(graph, in_order(graph), options);
      std::int64_t elements = 0;
      for (const Step& step : program.steps)
        if (step.kind == Step::Kind::gather && !adds_strips(graph, step.op))
          elements += shape_of(program, step.output).size() * step.output.region.images.size();
      return elements;
    };
    ASSERT_EQ(copied(split), copied(whole)) << "seed " << seed;
  }
}

TEST(SplitSchedule, SurvivesJsonAndText) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const SplitCase c(seed);
    const std::string json = schedule_to_json(c.whole, c.schedule);
    ASSERT_EQ(schedule_from_json(c.whole, json, "s.json"), c.schedule) << "seed " << seed;
    ASSERT_EQ(schedule_to_json(*scheduled_graph(c.whole, c.schedule), c.schedule), json);
    Schedule read = schedule_from_text(to_text(c.schedule));
    read.graph = c.schedule.graph, read.scheduler = c.schedule.scheduler;
    ASSERT_EQ(read, c.schedule) << "seed " << seed;
  }
}

std::string why_invalid(const Graph& graph, const Schedule& schedule) {
  try {
    validate(graph, schedule);
  } catch (const Error& e) {
    return e.what();
  }
  return "valid";
}

TEST(SplitSchedule, IsCheckedByName) {
  const Halves halves;
  EXPECT_EQ(why_invalid(halves.graph, halves.schedule), "valid");
  const auto changed = [&](const auto& change) {
    Schedule schedule = halves.schedule;
    change(schedule);
    return why_invalid(halves.graph, schedule);
  };
  const auto expect = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(changed([](Schedule& s) { s.splits[0].begins = {16}; }), "operator 'a' cannot be split into such rows");
  expect(changed([](Schedule& s) {
           s.splits.push_back({3, {8}, Along::images});
         }),
         "operator 'c' cannot be split into images: it computes one image");
  expect(changed([](Schedule& s) { s.splits.pop_back(); }), "there is no operator");
  expect(changed([](Schedule& s) { s.devices[1].stages[0].groups[0].pop_back(); }), "'b/1' is not scheduled");
  expect(changed([](Schedule& s) { s.devices[1].stages[0].groups[0].push_back(1); }),
         "'a' is split; its strips are scheduled");
  expect(changed([](Schedule& s) { std::ranges::reverse(s.devices[0].stages[0].groups[0]); }),
         "reads 'a/0', which comes after it");
}

TEST(SplitSchedule, IsSimulatedAsItsStrips) {
  const Halves halves;
  test::TestCost cost(halves.graph);
  const Simulation simulation = simulate(cost, halves.schedule);
  const std::shared_ptr<const Graph> split = scheduled_graph(halves.graph, halves.schedule);
  const auto cost_of_strips = cost.of(*split);
  const auto id = [&](const char* name) { return split->find(name); };
  const auto took = [&](const char* name) {
    return simulation.timeline.end[id(name)] - simulation.timeline.start[id(name)];
  };
  for (const char* strip : {"a/0", "a/1", "b/0", "b/1", "c"})
    EXPECT_NEAR(took(strip), cost_of_strips->operator_ms(id(strip)), 1e-9) << strip;
  EXPECT_EQ(simulation.transfers.size(), 4u);  // the lower half of the input, a row each way, the lower half of b
  EXPECT_GE(simulation.timeline.start[id("c")], simulation.timeline.end[id("b/1")]);
}

}  // namespace
}  // namespace opsched

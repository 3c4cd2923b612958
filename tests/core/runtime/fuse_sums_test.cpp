// Sums that the convolution before them does.
#include "core/runtime/program/fuse_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/arena.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/partition.hpp"
#include "core/runtime/program/verify.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_inputs.hpp"
#include "tests/support/random_residuals.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/stage_values.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::count;
using test::longest_chain;
using test::random_inputs;
using test::random_schedule;
using test::RandomResiduals;
using test::residuals;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kFewerSums = 5;
#else
constexpr int kFewerSums = 1;
#endif

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

/// A random graph, some of it in strips, and a schedule, lowered with and without residuals.
struct SumCase {
  Graph graph;
  Schedule schedule;
  LoweringOptions options;
  Program plain, fused;
  /// `waits_from`: LoweringOptions::fills_from.
  explicit SumCase(std::uint64_t seed, std::int64_t waits_from = kNone)
      : graph(RandomResiduals(seed).draw(3 + seed % 5)) {
    const Graph split = graph.with_splits(test::random_splits(graph, seed % 3 == 0 ? 30 : 0, seed));
    const Mode mode = seed % 2 ? Mode::barrier : Mode::dataflow;
    schedule = random_schedule(split, 1 + seed / 2 % 3, mode, seed);
    schedule.splits = split.splits();
    if (seed % 4 == 0) options = lowering_for(Precision::fp32);
    options.vector_channels = seed % 8 < 4 ? 1 : 8;
    options.waits = seed % 16 == 5 ? Waits::all : Waits::needed;
    plain = lower(graph, schedule, options);
    options.fusion.conv_residual = true;
    options.fills_from = waits_from;
    fused = lower(graph, schedule, options);
  }
};

TEST(FusedSums, ComputeWhatGathersCompute) {
  int fused = 0, same = 0, outputs = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewerSums; ++seed) {
    const SumCase c(seed, seed % 3 ? kNone : 0);
    fused += residuals(c.fused);
    const std::vector<Tensor> inputs = random_inputs(c.graph, seed),
                              expected = reference_outputs(c.graph, inputs, seed),
                              with = make_cpu_executor(c.graph, c.fused, seed)->run(inputs),
                              without = make_cpu_executor(c.graph, c.plain, seed)->run(inputs);
    ASSERT_EQ(with.size(), expected.size());
    outputs += c.options.vector_channels == 1 ? static_cast<int>(with.size()) : 0;
    for (std::size_t i = 0; i < with.size(); ++i) {
      ASSERT_LT(relative_error(with[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
      // Without padding a convolution may be computed in another order.
      same += c.options.vector_channels == 1 && with[i].data == without[i].data;
    }
  }
  EXPECT_GT(fused, 200 / kFewerSums);
  EXPECT_EQ(same, outputs);
}

TEST(FusedSums, OrderAndMemoryHold) {
  int fewer = 0;
  for (std::uint64_t seed = 0; seed < 400 / kFewerSums; ++seed) {
    const SumCase c(seed, seed % 3 ? kNone : 0);
    ASSERT_NO_THROW(verify_order(c.fused)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(c.fused)) << "seed " << seed;
    const int gone = count(c.plain, Step::Kind::gather) - count(c.fused, Step::Kind::gather);
    ASSERT_EQ(static_cast<int>(c.plain.steps.size() - c.fused.steps.size()), gone);
    ASSERT_LE(gone, residuals(c.fused));
    ASSERT_EQ(transfer_bytes(c.plain, 4), transfer_bytes(c.fused, 4));
    fewer += gone;
    for (const Step& step : c.fused.steps) {
      if (!step.residual) continue;
      ASSERT_EQ(step.kind, Step::Kind::conv);
      ASSERT_EQ(shape_of(c.fused, *step.residual), shape_of(c.fused, step.output));
      ASSERT_EQ(c.fused.buffers[step.residual->buffer].device, step.device);
      ASSERT_EQ(std::get<Conv2d>(step.layer).out_channels, step.output.channels);
      ASSERT_FALSE(overlap(*step.residual, step.output));
    }
  }
  EXPECT_GT(fewer, 250 / kFewerSums);
}

/// Every step has its old index as its priority.
TEST(FusedSums, NoStepFollowsMoreThanItDid) {
  int pairs = 0, removed = 0;
  for (std::uint64_t seed = 0; seed < 150 / kFewerSums; ++seed) {
    Program program = SumCase(seed).plain;
    const Order before = order_of(program);
    std::vector<std::vector<int>> after;
    for (int s = 0; s < before.size(); ++s) {
      program.steps[s].priority = s;
      after.push_back(program.steps[s].waits);
    }
    if (!fuse_sums(program, after, before, {}, kNone)) continue;
    removed += before.size() - static_cast<int>(program.steps.size());
    const Order order = set_waits(program, after, Waits::needed);
    const Order again = order_of(program);
    for (int b = 0; b < order.size(); ++b) {
      ASSERT_EQ(order.ancestors(b), again.ancestors(b));
      for (int a = 0; a < b; ++a, ++pairs)
        if (order.before(a, b)) {
          ASSERT_TRUE(before.before(program.steps[a].priority, program.steps[b].priority)) << "seed " << seed;
        }
    }
  }
  EXPECT_GT(pairs, 5000 / kFewerSums);
  EXPECT_GT(removed, 100 / kFewerSums);
}

TEST(FusedSums, NoChainGrows) {
  int shorter = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewerSums; ++seed) {
    const SumCase c(seed);
    ASSERT_LE(longest_chain(c.fused), longest_chain(c.plain)) << "seed " << seed;
    shorter += longest_chain(c.fused) < longest_chain(c.plain);
  }
  EXPECT_GT(shorter, 50 / kFewerSums);
}

TEST(FusedSums, LargeConvolutionsMayWait) {
  int more = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewerSums; ++seed) {
    const SumCase none(seed), all(seed, 0), large(seed, 2000);
    ASSERT_LE(residuals(none.fused), residuals(large.fused)) << "seed " << seed;
    ASSERT_LE(residuals(large.fused), residuals(all.fused)) << "seed " << seed;
    more += residuals(all.fused) - residuals(none.fused);
  }
  EXPECT_GT(more, 50 / kFewerSums);
}

TEST(FusedSums, StagesApartGiveTheReference) {
  int fused = 0;
  for (std::uint64_t seed = 1; seed < 120 / kFewerSums; ++seed) {
    const Graph graph = RandomResiduals(seed).draw(2);
    std::vector<Tensor> values;
    reference_outputs(graph, random_inputs(graph, seed), seed, [&](OpId, const Tensor& t) { values.push_back(t); });
    LoweringOptions options = seed % 2 ? cpu_lowering() : lowering_for(Precision::fp32);
    options.fusion.conv_residual = true;
    const Schedule schedule = random_schedule(graph, 1, Mode::barrier, seed);
    for (const Stage& stage : schedule.devices[0].stages) {
      const auto [inputs, expected] = test::values_of(graph, stage, values);
      constexpr int kReplicas = 3;
      Program program = lower_stages(graph, {&stage, 1}, kReplicas, options);
      ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
      ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
      ASSERT_EQ(program.steps.size() % kReplicas, 0u) << "seed " << seed << ": replicas differ";
      fused += residuals(program);
      const std::vector<Tensor> outputs = make_cpu_executor(graph, std::move(program), seed)->run(inputs);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed;
    }
  }
  EXPECT_GT(fused, 25 / kFewerSums);
}

TEST(FusedSums, PartsHoldOrderAndMemory) {
  int fused = 0, messages = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewerSums; ++seed) {
    const SumCase c(seed);
    const int devices = static_cast<int>(c.schedule.devices.size());
    const std::vector<int> process_of = spread_devices(devices, devices);
    int here = 0;
    const std::vector<ProgramPart> parts = partition(c.fused, process_of, devices, 0);
    for (const ProgramPart& part : parts) {
      Program program = part.program;
      for (const Step& step : program.steps) messages += step.kind == Step::Kind::receive;
      ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
      here += residuals(program);
    }
    ASSERT_NO_THROW(verify_messages(parts)) << "seed " << seed;
    ASSERT_EQ(here, residuals(c.fused));
    fused += here;
  }
  EXPECT_GT(fused, 50 / kFewerSums);
  EXPECT_GT(messages, 100 / kFewerSums);
}

TEST(FusedSums, AMissingWaitForTheResidualIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewerSums; ++seed) {
    Program program = SumCase(seed).fused;
    for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
      Step& step = program.steps[s];
      const auto reads = [&](int w) { return step.residual && overlap(program.steps[w].output, *step.residual); };
      const std::vector<int> waits = step.waits;
      for (int w : waits) {
        if (!reads(w)) continue;
        std::erase(step.waits, w);
        if (!order_of(program).before(w, s)) {
          EXPECT_THROW(verify_order(program), Error) << "seed " << seed;
          ++found;
        }
        step.waits = waits;
      }
    }
  }
  EXPECT_GT(found, 5 / kFewerSums);
}

TEST(FusedSums, MemoryThatIsPlannedWithoutTheResidualIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewerSums; ++seed) {
    const Program fused = SumCase(seed).fused;
    for (std::size_t s = 0; s < fused.steps.size(); ++s) {
      if (!fused.steps[s].residual) continue;
      Program program = fused;
      program.steps[s].residual.reset();
      plan_arena(program);
      program.steps[s].residual = fused.steps[s].residual;
      try {
        verify_arena(program);
      } catch (const Error&) {
        ++found;
      }
    }
  }
  EXPECT_GT(found, 5 / kFewerSums);
}

struct SumFact {
  const char *network, *scheduler;
  int gathers, left, residuals;
};

TEST(FusedSums, OfTheNetworks) {
  for (const SumFact& fact : {SumFact{"squeezenet", "sequential", 8, 0, 12}, SumFact{"squeezenet", "dataflow", 8, 4, 8},
                              SumFact{"nasnet", "sequential", 52, 30, 67}, SumFact{"nasnet", "dataflow", 52, 49, 18},
                              SumFact{"randwire", "sequential", 5, 5, 0}, SumFact{"randwire", "dataflow", 5, 5, 0}}) {
    const Graph graph = make_network(fact.network);
    test::TestCost cost(graph);
    const Schedule schedule =
        make_schedule(fact.scheduler, {.cost = cost, .devices = 1, .options = {}, .progress = {}});
    LoweringOptions options = lowering_for(Precision::fp16);
    options.fusion.conv_residual = false;
    const Program plain = lower(graph, schedule, options);
    options.fusion.conv_residual = true;
    const Program fused = lower(graph, schedule, options);
    ASSERT_NO_THROW(verify_order(fused));
    ASSERT_NO_THROW(verify_arena(fused));
    const std::string what = std::string(fact.network) + ", " + fact.scheduler;
    EXPECT_EQ(count(plain, Step::Kind::gather), fact.gathers) << what;
    EXPECT_EQ(count(fused, Step::Kind::gather), fact.left) << what;
    EXPECT_EQ(residuals(fused), fact.residuals) << what;
    EXPECT_LE(longest_chain(fused), longest_chain(plain)) << what;
  }
}

}  // namespace
}  // namespace opsched

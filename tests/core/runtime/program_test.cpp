// Lowering: order, memory and placement of the steps.
#include "core/runtime/program/program.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/arena.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/order.hpp"
#include "core/runtime/program/verify.hpp"
#include "networks/network.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_residuals.hpp"

namespace opsched {
namespace {

using test::count;
using test::random_schedule;
using test::RandomCnn;
using test::sequential;

struct Case {
  Graph graph;
  Schedule schedule;
  LoweringOptions options;
  Program program;
  explicit Case(std::uint64_t seed)
      : graph(seed % 7 < 3 ? test::RandomResiduals(seed).draw(3 + seed % 5) : RandomCnn(seed).draw(1 + seed % 5)),
        schedule(random_schedule(graph, 1 + seed / 3 % 3, seed % 2 ? Mode::barrier : Mode::dataflow, seed)),
        options{.fusion = {.conv_residual = seed % 7 < 3}, .vector_channels = seed % 4 < 2 ? 1 : 8},
        program(lower(graph, schedule, options)) {}
};

/// Whether every step of a stage comes after all steps of earlier stages on its device, and after everything that the
/// stage receives.
bool keeps_barriers(const Case& c) {
  const Order order = order_of(c.program);
  const std::vector<Slot> slots = slots_of(c.graph, c.schedule);
  const auto stage_reads = [&](const Slot& slot, OpId op) {
    return std::ranges::any_of(c.graph.succs(op),
                               [&](OpId s) { return slots[s].device == slot.device && slots[s].stage == slot.stage; });
  };
  for (int a = 0; a < order.size(); ++a)
    for (int b = 0; b < order.size(); ++b) {
      const Step &x = c.program.steps[a], &y = c.program.steps[b];
      if (y.kind == Step::Kind::transfer || x.device != y.device) continue;
      const bool first =
          x.kind == Step::Kind::transfer ? stage_reads(slots[y.op], x.op) : slots[x.op].stage < slots[y.op].stage;
      if (first && !order.before(a, b)) return false;
    }
  return true;
}

bool holds(const Case& c) {
  try {
    verify_order(c.program);
    verify_arena(c.program);
  } catch (const Error&) {
    return false;
  }
  return c.schedule.mode == Mode::dataflow || keeps_barriers(c);
}

std::int64_t unshared_bytes(const Program& program) {
  std::int64_t sum = 0;
  for (const Buffer& buffer : program.buffers) sum += buffer.bytes;
  return sum;
}

TEST(Program, OrderAndMemoryHold) {
  double ratio = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Case c(seed);
    ASSERT_NO_THROW(verify_order(c.program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(c.program)) << "seed " << seed;
    if (c.schedule.mode == Mode::barrier) {
      ASSERT_TRUE(keeps_barriers(c)) << "seed " << seed;
    }
    std::int64_t arenas = 0;
    for (std::int64_t bytes : c.program.arena_bytes) arenas += bytes;
    ASSERT_LE(arenas, unshared_bytes(c.program));
    ratio += static_cast<double>(arenas) / static_cast<double>(unshared_bytes(c.program)) / 300;
  }
  EXPECT_LT(ratio, 0.85);  // memory is reused, even in small graphs
}

TEST(Program, NoWaitCanBeDropped) {
  int dropped = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Case c(seed);
    ASSERT_TRUE(holds(c));
    for (Step& step : c.program.steps)
      for (std::size_t w = 0; w < step.waits.size(); ++w, ++dropped) {
        const std::vector<int> all = step.waits;
        step.waits.erase(step.waits.begin() + static_cast<std::ptrdiff_t>(w));
        ASSERT_FALSE(holds(c)) << "seed " << seed << ": nothing needs the wait for step " << all[w];
        step.waits = all;
      }
  }
  EXPECT_GT(dropped, 500);
}

TEST(Program, WaitsThatOthersImplyChangeNothingElse) {
  int needed = 0, all = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Case c(seed);
    LoweringOptions options = c.options;
    options.waits = Waits::all;
    const Program program = lower(c.graph, c.schedule, options);
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    const Order reduced = order_of(c.program), full = order_of(program);
    ASSERT_EQ(reduced.size(), full.size());
    for (int step = 0; step < full.size(); ++step) ASSERT_EQ(reduced.ancestors(step), full.ancestors(step));
    EXPECT_EQ(program.arena_bytes, c.program.arena_bytes);
    needed += wait_count(c.program);
    all += wait_count(program);
  }
  EXPECT_GT(all, needed);
}

TEST(Program, SharedMemoryInUseIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Case c(seed);
    for (std::size_t b = 1; b < c.program.buffers.size(); ++b) {
      // Move a buffer onto another one that the same step uses.
      for (const Step& step : c.program.steps) {
        if (step.output.buffer != static_cast<int>(b) || step.kind == Step::Kind::transfer) continue;
        const View& other = step.inputs.front();
        if (other.buffer == step.output.buffer) continue;
        Program moved = c.program;
        moved.buffers[b].offset = moved.buffers[other.buffer].offset;
        moved.arena_bytes[moved.buffers[b].device] += moved.buffers[b].bytes;
        ASSERT_THROW(verify_arena(moved), Error) << "seed " << seed << " buffer " << b;
        ++found;
      }
    }
  }
  EXPECT_GT(found, 300);
}

TEST(Program, WaitsReferBackAndStreamsAreCounted) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Case c(seed);
    for (int s = 0; s < static_cast<int>(c.program.steps.size()); ++s) {
      const Step& step = c.program.steps[s];
      ASSERT_LT(step.stream, c.program.streams[step.device]);
      for (int w : step.waits) {
        ASSERT_LT(w, s);
        const Step& other = c.program.steps[w];
        ASSERT_FALSE(other.device == step.device && other.stream == step.stream);
      }
      for (const View& view : step.inputs)
        if (step.kind != Step::Kind::transfer) {
          ASSERT_EQ(c.program.buffers[view.buffer].device, step.device);
        }
      ASSERT_EQ(c.program.buffers[step.output.buffer].device, step.device);
    }
  }
}

TEST(Program, TensorsAreSentToADeviceOnce) {
  int transfers = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Case c(seed);
    std::set<std::pair<OpId, int>> sent;
    const std::vector<Slot> slots = slots_of(c.graph, c.schedule);
    for (const Step& step : c.program.steps) {
      if (step.kind != Step::Kind::transfer) continue;
      ++transfers;
      ASSERT_TRUE(sent.emplace(step.op, step.device).second) << "seed " << seed;
      ASSERT_TRUE(std::ranges::any_of(c.graph.succs(step.op), [&](OpId s) { return slots[s].device == step.device; }));
    }
  }
  EXPECT_GT(transfers, 300);
}

TEST(Program, BackEndsThatFuseLessGetMoreSteps) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Case c(seed);
    const Fusion all{true, true, true, true, true, true, true, true, true},
        none{false, false, false, false, false, false, false, false, false};
    const Program fused = lower(c.graph, c.schedule, {.fusion = all}),
                  plain = lower(c.graph, c.schedule, {.fusion = none});
    ASSERT_LE(fused.steps.size(), c.program.steps.size());
    ASSERT_LE(c.program.steps.size(), plain.steps.size());
    for (const Step& step : plain.steps) {
      if (step.kind == Step::Kind::gather) continue;
      ASSERT_EQ(step.inputs.size(), 1u);
      ASSERT_EQ(step.pre, Activation::none);
      if (const auto* conv = std::get_if<Conv2d>(&step.layer)) {
        ASSERT_NE(conv->act, Activation::tanh);
      }
    }
  }
}

TEST(Program, JoinsOfTheNetworksCostNoCopies) {
  const Graph inception = make_network("inception_v3"), squeezenet = make_network("squeezenet");
  // Every unit except the joins is one kernel.
  Program program = lower(inception, sequential(inception), {});
  EXPECT_EQ(count(program, Step::Kind::gather), 0);
  const auto joins = std::ranges::count_if(inception.units(), [&](OpId op) { return inception.op(op).is_join(); });
  EXPECT_EQ(static_cast<std::ptrdiff_t>(program.steps.size()), 119 - joins);
  // Eight fire modules add their bypass to the outputs of both expand convolutions in one step.
  program = lower(squeezenet, sequential(squeezenet), {});
  EXPECT_EQ(count(program, Step::Kind::gather), 8);
}

TEST(Program, MergedConvolutionsWriteWhereTheirReadersWant) {
  const Graph graph = make_network("squeezenet");
  Schedule schedule = sequential(graph);
  auto& stages = schedule.devices[0].stages;
  int merges = 0;
  for (std::size_t s = 0; s + 1 < stages.size(); ++s) {
    // In reverse order: lowering may order the channels as their reader expects.
    const Group both = {stages[s + 1].groups[0][0], stages[s].groups[0][0]};
    if (!can_merge(graph, both) || graph.op(both[0]).as_conv()->kernel == graph.op(both[1]).as_conv()->kernel) continue;
    stages[s] = {Strategy::merge, {both}};
    stages.erase(stages.begin() + static_cast<std::ptrdiff_t>(s) + 1);
    ++merges;
  }
  ASSERT_EQ(merges, 8);
  const Program program = lower(graph, schedule, {});
  EXPECT_EQ(count(program, Step::Kind::gather), 8);
  EXPECT_EQ(program.steps.size() + 8, lower(graph, sequential(graph), {}).steps.size());
}

TEST(Program, ChannelsBecomeMultiplesOfAVector) {
  const Graph graph = make_network("randwire");  // 77, 154 and 308 channels, no joins
  for (const int vector : {4, 8}) {
    const Program program = lower(graph, sequential(graph), {.vector_channels = vector});
    for (const Step& step : program.steps) {
      EXPECT_EQ(step.output.channels % vector, 0);
      for (const View& view : step.inputs)
        if (view.buffer != program.inputs[0].buffer) {
          EXPECT_EQ(view.channels % vector, 0);
        }
    }
    EXPECT_EQ(program.outputs[0].channels, graph.op(graph.outputs()[0]).output.c);
  }
}

TEST(Program, PaddingEndsWhereChannelsAreWanted) {
  Graph graph("net");
  const OpId in = graph.add_input("in", {3, 4, 4});
  const OpId a = graph.add("a", {graph.all(in)}, {Conv2d{.out_channels = 6}});
  const OpId b = graph.add("b", {graph.all(a)}, {Conv2d{.out_channels = 6, .groups = 3}});
  const OpId c = graph.add("c", {graph.all(a)}, {Activate{}, Conv2d{.out_channels = 6, .groups = 6}});
  const OpId sum = graph.add("sum", {{{b, 0, 6}, {c, 0, 6}}}, {});
  const OpId half = graph.add("half", {{{c, 0, 3}}}, {Conv2d{.out_channels = 5}});
  const OpId join = graph.add("join", {graph.all(sum), graph.all(half)}, {});
  const Program program = lower(graph, sequential(graph), {.vector_channels = 8});
  const auto step = [&](OpId op) { return *std::ranges::find(program.steps, op, &Step::op); };
  EXPECT_EQ(step(a).output.channels, 8);
  EXPECT_EQ(step(b).inputs[0].channels, 6);  // grouped convolutions get no padding
  EXPECT_EQ(step(b).output.channels, 6);
  EXPECT_EQ(step(c).output.channels, 8);       // keeps the padding
  EXPECT_EQ(step(sum).inputs[1].channels, 6);  // one of the two terms has no padding
  EXPECT_EQ(step(half).inputs[0].channels, 3);
  EXPECT_EQ(step(half).output.channels, 5);  // a slice of the join
  EXPECT_EQ(step(sum).output.buffer, step(half).output.buffer);
  EXPECT_EQ(program.outputs[0].channels, graph.op(join).output.c);
}

TEST(Program, ArenaIsNearTheLargestSumOfLiveBuffers) {
  // With one stream the order is total, and no plan needs less than the live buffers of some step.
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name);
    const Program program = lower(graph, sequential(graph), {});
    std::vector<std::pair<int, int>> life(program.buffers.size(), {1 << 30, -1});
    for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
      const auto touch = [&](const View& v) {
        life[v.buffer] = {std::min(life[v.buffer].first, s), std::max(life[v.buffer].second, s)};
      };
      for (const View& v : program.steps[s].inputs) touch(v);
      touch(program.steps[s].output);
    }
    for (const View& v : program.inputs) life[v.buffer] = {0, 1 << 30};
    for (const View& v : program.outputs) life[v.buffer] = {0, 1 << 30};
    std::int64_t most = 0;
    for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
      std::int64_t live = 0;
      for (std::size_t b = 0; b < life.size(); ++b)
        if (life[b].first <= s && s <= life[b].second) live += program.buffers[b].bytes;
      most = std::max(most, live);
    }
    EXPECT_GE(program.arena_bytes[0], most) << info.name;
    EXPECT_LE(static_cast<double>(program.arena_bytes[0]), 1.1 * static_cast<double>(most)) << info.name;
  }
}

}  // namespace
}  // namespace opsched

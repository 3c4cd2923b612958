// Sums that the convolution before them does.
#include "core/runtime/program/fuse_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/arena.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/kernel_problem.hpp"
#include "core/runtime/program/partition.hpp"
#include "core/runtime/program/verify.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_residuals.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::count;
using test::random_schedule;
using test::RandomResiduals;
using test::sequential;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kFewer = 5;
#else
constexpr int kFewer = 1;
#endif

int residuals(const Program& program) {
  return static_cast<int>(
      std::ranges::count_if(program.steps, [](const Step& step) { return step.residual.has_value(); }));
}

std::vector<Tensor> inputs_of(const Graph& graph, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (OpId op : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(op).output, seed++));
  return inputs;
}

/// A random graph, some of it in strips, and a schedule, lowered with and without residuals.
struct Case {
  Graph graph;
  Schedule schedule;
  LoweringOptions options;
  Program plain, fused;
  explicit Case(std::uint64_t seed) : graph(RandomResiduals(seed).draw(3 + seed % 5)) {
    const Graph split = graph.with_splits(test::random_splits(graph, seed % 3 == 0 ? 30 : 0, seed));
    const Mode mode = seed % 2 ? Mode::barrier : Mode::dataflow;
    schedule = random_schedule(split, 1 + seed / 2 % 3, mode, seed);
    schedule.splits = split.splits();
    if (seed % 4 == 0) options = lowering_for(Precision::fp32);
    options.vector_channels = seed % 8 < 4 ? 1 : 8;
    options.waits = seed % 16 == 5 ? Waits::all : Waits::needed;
    plain = lower(graph, schedule, options);
    options.fusion.conv_residual = true;
    fused = lower(graph, schedule, options);
  }
};

TEST(FusedSums, ComputeWhatGathersCompute) {
  int fused = 0, same = 0, outputs = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewer; ++seed) {
    const Case c(seed);
    fused += residuals(c.fused);
    const std::vector<Tensor> inputs = inputs_of(c.graph, seed), expected = reference_outputs(c.graph, inputs, seed),
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
  EXPECT_GT(fused, 200 / kFewer);
  EXPECT_EQ(same, outputs);
}

TEST(FusedSums, OrderAndMemoryHold) {
  int fewer = 0;
  for (std::uint64_t seed = 0; seed < 400 / kFewer; ++seed) {
    const Case c(seed);
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
  EXPECT_GT(fewer, 250 / kFewer);
}

/// Every step has its old index as its priority.
TEST(FusedSums, NoStepFollowsMoreThanItDid) {
  int pairs = 0, removed = 0;
  for (std::uint64_t seed = 0; seed < 150 / kFewer; ++seed) {
    Program program = Case(seed).plain;
    const Order before = order_of(program);
    std::vector<std::vector<int>> after;
    for (int s = 0; s < before.size(); ++s) {
      program.steps[s].priority = s;
      after.push_back(program.steps[s].waits);
    }
    if (!fuse_sums(program, after, before, {})) continue;
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
  EXPECT_GT(pairs, 5000 / kFewer);
  EXPECT_GT(removed, 100 / kFewer);
}

/// Steps in the longest chain.
int longest_chain(const Program& program) {
  const Order order = order_of(program);
  std::vector<int> length(order.size(), 1);
  for (int b = 0; b < order.size(); ++b)
    for (int a = 0; a < b; ++a)
      if (order.before(a, b)) length[b] = std::max(length[b], length[a] + 1);
  return length.empty() ? 0 : *std::ranges::max_element(length);
}

TEST(FusedSums, NoChainGrows) {
  int shorter = 0;
  for (std::uint64_t seed = 0; seed < 250 / kFewer; ++seed) {
    const Case c(seed);
    ASSERT_LE(longest_chain(c.fused), longest_chain(c.plain)) << "seed " << seed;
    shorter += longest_chain(c.fused) < longest_chain(c.plain);
  }
  EXPECT_GT(shorter, 50 / kFewer);
}

TEST(FusedSums, StagesApartGiveTheReference) {
  int fused = 0;
  for (std::uint64_t seed = 1; seed < 120 / kFewer; ++seed) {
    const Graph graph = RandomResiduals(seed).draw(2);
    std::vector<Tensor> values;
    reference_outputs(graph, inputs_of(graph, seed), seed, [&](OpId, const Tensor& t) { values.push_back(t); });
    LoweringOptions options = seed % 2 ? cpu_lowering() : lowering_for(Precision::fp32);
    options.fusion.conv_residual = true;
    const Schedule schedule = random_schedule(graph, 1, Mode::barrier, seed);
    for (const Stage& stage : schedule.devices[0].stages) {
      std::vector<bool> inside(graph.size(), false);
      for (const Group& group : stage.groups)
        for (OpId op : group) inside[op] = true;
      std::vector<Tensor> inputs, expected;
      for (OpId op = 0; op < graph.size(); ++op) {
        const auto succs = graph.succs(op);
        const auto is_inside = [&](OpId s) { return inside[s]; };
        if (!inside[op] && std::ranges::any_of(succs, is_inside)) inputs.push_back(values[op]);
        if (inside[op] && (succs.empty() || !std::ranges::all_of(succs, is_inside))) expected.push_back(values[op]);
      }
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
  EXPECT_GT(fused, 60 / kFewer);
}

TEST(FusedSums, PartsHoldOrderAndMemory) {
  int fused = 0, messages = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewer; ++seed) {
    const Case c(seed);
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
  EXPECT_GT(fused, 100 / kFewer);
  EXPECT_GT(messages, 100 / kFewer);
}

TEST(FusedSums, AMissingWaitForTheResidualIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewer; ++seed) {
    Program program = Case(seed).fused;
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
  EXPECT_GT(found, 5 / kFewer);
}

TEST(FusedSums, MemoryThatIsPlannedWithoutTheResidualIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 100 / kFewer; ++seed) {
    const Program fused = Case(seed).fused;
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
  EXPECT_GT(found, 5 / kFewer);
}

struct Fact {
  const char *network, *scheduler;
  int gathers, left, residuals;
};

TEST(FusedSums, OfTheNetworks) {
  for (const Fact& fact : {Fact{"squeezenet", "sequential", 8, 0, 12}, Fact{"squeezenet", "dataflow", 8, 4, 8},
                           Fact{"nasnet", "sequential", 52, 30, 67}, Fact{"nasnet", "dataflow", 52, 49, 18},
                           Fact{"randwire", "sequential", 5, 5, 0}, Fact{"randwire", "dataflow", 5, 5, 0}}) {
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

/// A graph of one block, with short names for what these tests add.
struct Small {
  Graph graph{"g"};
  OpId x = graph.add_input("x", {4, 6, 6});
  OpId conv(OpId from, int channels = 4) {
    return graph.add("conv" + std::to_string(graph.size()), {graph.all(from)}, {Conv2d{.out_channels = channels}});
  }
  OpId sum(std::vector<OpId> of, std::vector<Layer> layers = {}) {
    Term term;
    for (OpId op : of) term.push_back({op, 0, graph.op(op).output.c});
    return graph.add("sum" + std::to_string(graph.size()), {term}, std::move(layers));
  }
  Program lowered(Schedule schedule) {
    schedule.graph = graph.name();
    if (graph.blocks().empty()) graph.end_block("all");
    Program program = lower(graph, schedule, cpu_lowering());
    verify_order(program);
    verify_arena(program);
    return program;
  }
  Program lowered() {
    if (graph.blocks().empty()) graph.end_block("all");
    return lowered(sequential(graph));
  }
};

/// Operators by device and stream.
Schedule dataflow(const std::vector<std::vector<Group>>& devices) {
  Schedule schedule{.graph = "", .scheduler = "", .mode = Mode::dataflow, .devices = {}, .launch_order = {}};
  for (const std::vector<Group>& groups : devices) schedule.devices.push_back({{Stage{Strategy::concurrent, groups}}});
  return schedule;
}

TEST(FusedSums, ActivationsStayOnTheirSideOfTheSum) {
  Small g;
  const OpId a = g.graph.add("a", {g.graph.all(g.x)}, {Conv2d{.out_channels = 4, .act = Activation::relu}});
  g.sum({g.x, a}, {Activate{Activation::tanh}});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 1u);
  EXPECT_EQ(std::get<Conv2d>(program.steps[0].layer).act, Activation::relu);
  EXPECT_EQ(program.steps[0].post, Activation::tanh);
  EXPECT_EQ(program.steps[0].residual, program.inputs[0]);
  EXPECT_EQ(program.steps[0].output, program.outputs[0]);
  EXPECT_EQ(program.buffers.size(), 2u);  // the convolution's own output has none
}

TEST(FusedSums, OneTensorIsAddedToTwoConvolutions) {
  Small g;
  const OpId a = g.conv(g.x, 1), b = g.conv(g.x, 3);
  g.sum({g.graph.add("join", {g.graph.all(a), g.graph.all(b)}, {}), g.x});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 2u);
  for (const Step& step : program.steps) {
    ASSERT_TRUE(step.residual);
    EXPECT_EQ(step.residual->channel, step.output.channel);
    EXPECT_EQ(step.residual->channels, step.output.channels);
  }
}

/// Three branches of two channels each; `pools` says which are no convolutions.
TEST(FusedSums, WhatNoConvolutionCanAddRemainsOneStep) {
  const auto rest = [](const std::vector<int>& pools) {
    Small g;
    const OpId wide = g.graph.add_input("wide", {6, 6, 6});
    std::vector<Term> ends;
    for (const int i : {0, 1, 2}) {
      const Pool2d pool{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}};
      const bool is_pool = std::ranges::count(pools, i) > 0;
      const std::string name = "end" + std::to_string(i);
      ends.push_back(g.graph.all(is_pool ? g.graph.add(name, {{{g.x, 0, 2}}}, {pool}) : g.conv(g.x, 2)));
    }
    g.sum({g.graph.add("join", ends, {}), wide});
    const Program program = g.lowered();
    EXPECT_EQ(count(program, Step::Kind::gather), pools.empty() ? 0 : 1);
    for (const Step& step : program.steps)
      if (step.kind == Step::Kind::gather) return std::pair(step.output.channel, step.output.channels);
    return std::pair(0, 0);
  };
  EXPECT_EQ(rest({}), std::pair(0, 0));
  EXPECT_EQ(rest({0}), std::pair(0, 2));
  EXPECT_EQ(rest({1}), std::pair(2, 2));
  EXPECT_EQ(rest({2}), std::pair(4, 2));
  EXPECT_EQ(rest({0, 2}), std::pair(0, 6));  // two steps would be more than one
}

TEST(FusedSums, TheLaterConvolutionAddsTheEarlier) {
  Small g;
  const OpId a = g.conv(g.x), b = g.conv(g.x);
  g.sum({a, b});
  const Program program = g.lowered();
  ASSERT_EQ(program.steps.size(), 2u);
  EXPECT_EQ(program.steps[1].op, b);
  EXPECT_EQ(program.steps[1].residual, program.steps[0].output);
}

TEST(FusedSums, ConvolutionsNeverWaitForMore) {
  Small g;
  const OpId a = g.conv(g.x), b = g.conv(g.x), c = g.conv(b), sum = g.sum({a, c});
  EXPECT_EQ(count(g.lowered(dataflow({{{a}, {b, c, sum}}})), Step::Kind::gather), 1);  // in parallel
  EXPECT_EQ(count(g.lowered(dataflow({{{a, b, c, sum}}})), Step::Kind::gather), 0);
}

TEST(FusedSums, WhatFollowedTheSumFollowsTheConvolution) {
  Small g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a}), next = g.conv(g.x), reader = g.conv(sum);
  const Program program = g.lowered(dataflow({{{a}, {sum, next}, {reader}}}));
  ASSERT_EQ(program.steps.size(), 3u);
  EXPECT_EQ(program.steps[0].op, a);
  for (const Step& step : program.steps)
    if (step.op == next || step.op == reader) {
      EXPECT_EQ(step.waits, std::vector{0});
    }
}

TEST(FusedSums, AResidualMayComeFromAnotherDevice) {
  Small g;
  const OpId far = g.conv(g.x), near = g.conv(far), sum = g.sum({far, near}), end = g.conv(sum);
  const Program program = g.lowered(dataflow({{{far}}, {{near, sum}}, {{end}}}));
  EXPECT_EQ(count(program, Step::Kind::gather), 0);
  EXPECT_EQ(residuals(program), 1);
  EXPECT_EQ(count(program, Step::Kind::transfer), 2);
}

TEST(FusedSums, OtherReadersKeepTheSum) {
  const auto gathers = [](const std::function<void(Small&)>& build) {
    Small g;
    build(g);
    return count(g.lowered(), Step::Kind::gather);
  };
  EXPECT_EQ(gathers([](Small& g) { g.sum({g.x, g.conv(g.x)}); }), 0);
  EXPECT_EQ(gathers([](Small& g) {  // another operator
              const OpId a = g.conv(g.x);
              g.sum({g.x, a});
              g.conv(a);
            }),
            1);
  EXPECT_EQ(gathers([](Small& g) {  // the sum itself
              const OpId a = g.conv(g.x);
              g.sum({a, a});
            }),
            1);
  EXPECT_EQ(gathers([](Small& g) { g.sum({g.x, g.conv(g.x), g.conv(g.x)}); }), 1);
  EXPECT_EQ(gathers([](Small& g) {  // no dense convolution
              const Pool2d pool{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}};
              const Conv2d depthwise{.out_channels = 4, .kernel = {3, 3}, .padding = {1, 1}, .groups = 4};
              g.sum({g.graph.add("a", {g.graph.all(g.x)}, {pool}), g.graph.add("b", {g.graph.all(g.x)}, {depthwise})});
            }),
            1);
  EXPECT_EQ(gathers([](Small& g) {  // only some of what the convolution writes
              const OpId a = g.conv(g.x, 5);
              g.graph.add("sum", {{{g.x, 0, 4}, {a, 0, 4}}}, {});
            }),
            1);
}

TEST(FusedSums, SummandsMayShareChannels) {
  Small g;
  const OpId join =
      g.graph.add("join", {g.graph.all(g.conv(g.x, 2)), g.graph.all(g.conv(g.x, 2)), g.graph.all(g.conv(g.x, 2))}, {});
  g.graph.add("sum", {{{join, 0, 4}, {join, 2, 6}}}, {});
  const Program program = g.lowered();
  EXPECT_EQ(residuals(program), 1);  // the last; the sum needs what the second writes twice
  EXPECT_EQ(count(program, Step::Kind::gather), 1);
  const std::vector<Tensor> inputs = inputs_of(g.graph, 1), expected = reference_outputs(g.graph, inputs, 1);
  EXPECT_LT(relative_error(make_cpu_executor(g.graph, program, 1)->run(inputs)[0], expected[0]), 1e-6);
}

TEST(FusedSums, AConvolutionAddsOneTensor) {
  Small g;
  g.sum({g.x, g.sum({g.x, g.conv(g.x)})});
  EXPECT_EQ(count(g.lowered(), Step::Kind::gather), 1);
}

TEST(FusedSums, PaddingIsNotWrittenWhereChannelsAreWanted) {
  Small g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a});
  g.graph.add("join", {g.graph.all(g.conv(g.x)), g.graph.all(sum)}, {});
  g.graph.end_block("all");
  LoweringOptions options = cpu_lowering();
  options.vector_channels = 8;
  const Program program = lower(g.graph, sequential(g.graph), options);
  ASSERT_NO_THROW(verify_order(program));
  const auto fused = std::ranges::find_if(program.steps, [](const Step& step) { return step.residual.has_value(); });
  ASSERT_NE(fused, program.steps.end());
  EXPECT_EQ(fused->output.channels, 4);
  EXPECT_EQ(std::get<Conv2d>(fused->layer).out_channels, 4);
}

TEST(FusedSums, MergedConvolutionsAddToAllTheirChannels) {
  Small g;
  const OpId a = g.conv(g.x, 1), b = g.conv(g.x, 3);
  const OpId join = g.graph.add("join", {g.graph.all(a), g.graph.all(b)}, {}), sum = g.sum({join, g.x});
  g.graph.end_block("all");
  Schedule schedule = sequential(g.graph);
  schedule.devices[0].stages = {{Strategy::merge, {{a, b}}}, {Strategy::concurrent, {{join, sum}}}};
  const Program program = g.lowered(schedule);
  ASSERT_EQ(program.steps.size(), 1u);
  EXPECT_EQ(program.steps[0].weights.size(), 2u);
  EXPECT_EQ(program.steps[0].residual, program.inputs[0]);
}

TEST(FusedSums, AllReplicasOfAStageKeepWhatLeavesIt) {
  Small g;
  const OpId a = g.conv(g.x), sum = g.sum({g.x, a});
  g.conv(a);
  g.graph.end_block("all");
  const Stage stage{Strategy::concurrent, {{a, sum}}};
  const Program program = lower_stages(g.graph, {&stage, 1}, 3, cpu_lowering());
  EXPECT_EQ(count(program, Step::Kind::gather), 3);
  EXPECT_EQ(residuals(program), 0);
}

TEST(FusedSums, KeysNameTheResidual) {
  Small g;
  g.sum({g.x, g.conv(g.x)}, {Activate{}});
  const Program program = g.lowered();
  const auto key = [&](const Step& step) {
    return make_problem(program, step, Precision::fp32, TensorFormat::nchw).key();
  };
  Step step = program.steps.at(0);
  const std::string whole = key(step);
  EXPECT_NE(whole.find(" residual:"), std::string::npos);
  step.post = Activation::none;
  EXPECT_NE(key(step), whole);
  step.residual.reset();
  EXPECT_EQ(key(step).find("residual"), std::string::npos);
}

}  // namespace
}  // namespace opsched

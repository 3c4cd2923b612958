// Lowering of stages on their own, as they are measured: the same steps as in the whole schedule.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "core/runtime/program/order.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/program/verify.hpp"
#include "networks/network.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

using test::count;
using test::random_schedule;
using test::RandomCnn;
using test::sequential;

TEST(Program, StagesCostWhatTheyCostInTheWholeGraph) {
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name);
    const Schedule schedule = sequential(graph);
    const std::vector<Stage>& stages = schedule.devices[0].stages;
    const LoweringOptions options{.vector_channels = 8};
    const Program whole = lower(graph, schedule, options), apart = lower_stages(graph, stages, 1, options);
    ASSERT_EQ(whole.steps.size(), apart.steps.size()) << info.name;
    for (std::size_t s = 0; s < whole.steps.size(); ++s) {
      const Step &a = whole.steps[s], &b = apart.steps[s];
      ASSERT_EQ(a.kind, b.kind);
      ASSERT_EQ(a.inputs.size(), b.inputs.size());
      ASSERT_EQ(a.weights, b.weights);
      // The same channels of buffers with the same shape.
      ASSERT_EQ(a.output.channel, b.output.channel);
      ASSERT_EQ(whole.buffers[a.output.buffer].shape, apart.buffers[b.output.buffer].shape);
      ASSERT_EQ(a.layer, b.layer);
      for (std::size_t i = 0; i < a.inputs.size(); ++i) ASSERT_EQ(a.inputs[i].channels, b.inputs[i].channels);
    }
  }
}

TEST(Program, MergesMakeTheCopiesOfTheirReaders) {
  int copied = 0;
  for (const char* name : {"squeezenet", "inception_v3"}) {
    const Graph graph = make_network(name);
    const Schedule plain = sequential(graph);
    for (const int most : {2, 3, 4}) {
      // In every block, merge runs of convolutions that read the same input.
      Schedule schedule = plain;
      std::vector<Stage>& stages = schedule.devices[0].stages;
      for (std::size_t s = 0; s < stages.size(); ++s)
        for (std::size_t t = s + 1; t < stages.size() && t < s + 12; ++t) {
          Group both = stages[s].groups[0];
          both.push_back(stages[t].groups[0][0]);
          if (stages[t].groups[0].size() > 1 || static_cast<int>(both.size()) > most || !can_merge(graph, both))
            continue;
          stages[s] = {Strategy::merge, {both}};
          stages.erase(stages.begin() + static_cast<std::ptrdiff_t>(t--));
        }
      const Program whole = lower(graph, schedule, {}), apart = lower_stages(graph, stages, 1, {});
      ASSERT_EQ(whole.steps.size(), apart.steps.size()) << name << ", " << most;
      for (std::size_t s = 0; s < whole.steps.size(); ++s) {  // in the same stages, too
        ASSERT_EQ(whole.steps[s].kind, apart.steps[s].kind) << name << ", " << most;
        ASSERT_EQ(whole.steps[s].op, apart.steps[s].op) << name << ", " << most;
      }
      // When given all merges, stages read the same buffers as in the schedule.
      std::vector<Group> merges;
      for (const Stage& stage : stages)
        if (stage.strategy == Strategy::merge) merges.push_back(stage.groups.front());
      const Program told = lower_stages(graph, stages, 1, {}, merges);
      const auto layers = [](const Program& program) {  // channels read, by operator and kind
        std::map<std::tuple<OpId, int>, std::vector<std::tuple<int, int, int>>> read;
        for (const Step& step : program.steps)
          if (step.kind != Step::Kind::gather)
            for (const View& v : step.inputs)
              read[{step.op, static_cast<int>(step.kind)}].emplace_back(program.buffers[v.buffer].shape.c, v.channel,
                                                                        v.channels);
        return read;
      };
      EXPECT_EQ(layers(whole), layers(told)) << name << ", " << most;
      if (name == std::string("inception_v3")) {
        EXPECT_NE(layers(whole), layers(apart)) << most;
      }
      copied += static_cast<int>(count(whole, Step::Kind::gather) - count(lower(graph, plain, {}), Step::Kind::gather));
    }
  }
  EXPECT_EQ(copied, 3);  // of Inception's last block a, for each number
}

TEST(Program, ReplicasRunOneAfterAnother) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph = RandomCnn(seed).draw(2);
    const Schedule schedule = random_schedule(graph, 1, Mode::barrier, seed);
    const std::vector<Stage>& stages = schedule.devices[0].stages;
    const std::size_t once = lower_stages(graph, stages, 1, {}).steps.size();
    const Program program = lower_stages(graph, stages, 3, {});
    ASSERT_EQ(program.steps.size(), 3 * once);
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
    const Order order = order_of(program);
    for (std::size_t s = once; s < program.steps.size(); ++s)
      for (std::size_t p = 0; p < s / once * once; ++p)
        ASSERT_TRUE(order.before(static_cast<int>(p), static_cast<int>(s)));
  }
}

TEST(Program, StagesThatCannotRunAreRefused) {
  Graph graph("chain");
  const OpId in = graph.add_input("in", {2, 4, 4});
  const OpId a = graph.add("a", {graph.all(in)}, {Conv2d{.out_channels = 2}});
  const OpId b = graph.add("b", {graph.all(a)}, {Conv2d{.out_channels = 2}});
  const auto lowered = [&](Stage stage) { return lower_stages(graph, {&stage, 1}, 1, {}); };
  EXPECT_NO_THROW(lowered({Strategy::concurrent, {{a, b}}}));
  EXPECT_THROW(lowered({Strategy::concurrent, {{b, a}}}), Error);
  EXPECT_THROW(lowered({Strategy::concurrent, {{a}, {b}}}), Error);
  EXPECT_THROW(lowered({Strategy::concurrent, {{a, a}}}), Error);
  EXPECT_THROW(lowered({Strategy::concurrent, {{in}}}), Error);
  EXPECT_THROW(lowered({Strategy::merge, {{a, b}}}), Error);
}

}  // namespace
}  // namespace opsched

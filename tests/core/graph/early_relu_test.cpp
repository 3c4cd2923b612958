// ReLUs moved from readers into the operators that they read.
#include "core/graph/early_relu.hpp"

#include <gtest/gtest.h>

#include <map>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/graph/fingerprint.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/schedule/schedule_json.hpp"
#include "networks/network.hpp"
#include "tests/support/random_cells.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_splits.hpp"

namespace opsched::test {
namespace {

constexpr Conv2d pointwise(int channels) { return {.out_channels = channels}; }

int leading_relus(const Graph& graph) {
  int count = 0;
  for (OpId id : graph.units()) {
    const Operator& op = graph.op(id);
    count += op.layers.size() > 1 && op.layers.front() == Layer(Activate{});
  }
  return count;
}

Graph with_drawn_weights(Graph graph) {
  auto table = std::make_shared<WeightTable>();
  for (OpId id : graph.units())
    for (int layer = 0; layer < static_cast<int>(graph.op(id).layers.size()); ++layer)
      if (std::holds_alternative<Conv2d>(graph.op(id).layers[layer]))
        (*table)[{id, layer}] = std::make_shared<ConvWeights>(make_weights(graph, id, layer, 1));
  graph.set_weights(table);
  return graph;
}

std::vector<Tensor> inputs_of(const Graph& graph, std::uint64_t seed) {
  return {random_tensor(graph.batch(), graph.op(0).output, seed)};
}

void expect_equal(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i].data, expected[i].data);
}

TEST(EarlyRelu, ComputesTheSame) {
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    const Graph drawn = RandomCells(seed).draw(12), before = seed % 2 == 0 ? drawn : with_drawn_weights(drawn);
    const std::shared_ptr<const Graph> after = with_early_relu(before);
    const std::vector<Tensor> inputs = inputs_of(before, seed);
    expect_equal(reference_outputs(*after, inputs, 1), reference_outputs(before, inputs, 1));
    ASSERT_LE(leading_relus(*after), leading_relus(before));
    moved += leading_relus(before) - leading_relus(*after);
    EXPECT_EQ(with_early_relu(*after).get(), after.get());
  }
  EXPECT_GT(moved, 100);
}

/// Any schedule of one graph is one of the other: with splits and merges, and from a file.
TEST(EarlyRelu, SchedulesAreExchangeable) {
  int splits = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Graph before = RandomCells(seed).draw(12);
    const std::shared_ptr<const Graph> after = with_early_relu(before);
    const std::vector<Tensor> inputs = inputs_of(before, seed);
    for (const Graph* from : {&before, after.get()}) {
      const Graph& other = from == &before ? *after : before;
      const Graph split = from->with_splits(test::random_splits(*from, seed % 3 == 0 ? 0 : 40, seed));
      Schedule schedule = random_schedule(split, 1 + seed % 3, seed % 2 ? Mode::barrier : Mode::dataflow, seed);
      schedule.splits = split.splits();
      splits += static_cast<int>(schedule.splits.size());
      const Schedule read = schedule_from_json(other, schedule_to_json(*from, schedule), "a file");
      EXPECT_EQ(fingerprint(read), fingerprint(schedule));
      expect_equal(make_cpu_executor(other, read, 3)->run(inputs), make_cpu_executor(*from, schedule, 3)->run(inputs));
      EXPECT_EQ(fingerprint(*with_early_relu(split)), fingerprint(before));
    }
    EXPECT_EQ(fingerprint(*after), fingerprint(before));
    EXPECT_EQ(named_fingerprint(*after), named_fingerprint(before));
  }
  EXPECT_GT(splits, 50);
}

TEST(EarlyRelu, NetworksKeepTheirFingerprints) {
  const std::map<std::string, int> relieved = {{"nasnet", 154}, {"randwire", 24}, {"inception_v3", 0}};
  for (const auto& [name, count] : relieved) {
    const Graph before = make_network(name);
    const std::shared_ptr<const Graph> after = with_early_relu(before);
    EXPECT_EQ(std::ranges::count(after->relu_moves().relieved, true), count) << name;
    EXPECT_EQ(after.get() != &before, count > 0) << name;
    EXPECT_EQ(fingerprint(*after), fingerprint(before));
    EXPECT_EQ(named_fingerprint(after->with_image({96, 96})), named_fingerprint(before.with_image({96, 96})));
    EXPECT_EQ(named_fingerprint(after->with_batch(3)), named_fingerprint(before.with_batch(3)));
  }
}

/// Merged convolutions have one activation, so they change together or not at all.
TEST(EarlyRelu, LeavesMergesPossible) {
  for (const bool all_begin_with_relu : {false, true}) {
    Graph graph("siblings");
    const OpId input = graph.add_input("input", {4, 5, 5});
    const OpId a = graph.add("a", {graph.all(input)}, {pointwise(4)});
    const OpId b = graph.add("b", {graph.all(input)}, {pointwise(4)});
    graph.add("reads a", {graph.all(a)}, {Activate{}, pointwise(4)});
    graph.add("reads b", {graph.all(b)},
              all_begin_with_relu ? std::vector<Layer>{Activate{}, pointwise(4)} : std::vector<Layer>{pointwise(4)});
    graph.end_block("all");
    const std::shared_ptr<const Graph> after = with_early_relu(graph);
    EXPECT_EQ(after.get() != &graph, all_begin_with_relu);
    EXPECT_TRUE(can_merge(*after, std::vector<OpId>{a, b}));
    const Schedule schedule{.devices = {{.stages = {{Strategy::merge, {{a, b}}}, {Strategy::concurrent, {{3}, {4}}}}}}};
    const std::vector<Tensor> inputs = inputs_of(graph, 1);
    expect_equal(make_cpu_executor(*after, schedule, 3)->run(inputs),
                 make_cpu_executor(graph, schedule, 3)->run(inputs));
    EXPECT_FALSE(can_merge(*after, std::vector<OpId>{3}));  // perhaps plain now, but not in the network
  }
}

TEST(EarlyRelu, MakesPlainConvolutionsOfNasNets) {
  const Graph before = make_network("nasnet"), after = *with_early_relu(before);
  const auto behind_relu = [](const Graph& graph) {
    int count = 0;
    for (OpId id : graph.units()) {
      const Operator& op = graph.op(id);
      if (op.layers.size() != 2 || op.layers.front() != Layer(Activate{})) continue;
      const auto* conv = std::get_if<Conv2d>(&op.layers.back());
      count += conv != nullptr && conv->groups == 1;
    }
    return count;
  };
  EXPECT_EQ(behind_relu(before), 47);
  EXPECT_EQ(behind_relu(after), 15);  // readers of joins with other inputs than sums
  EXPECT_EQ(after.macs(), before.macs());
  EXPECT_EQ(after.blocks().front().parts, before.blocks().front().parts);
}

/// input -> a -> {b, c}; the arguments define c.
OpId leading(const Term& reads, std::vector<Layer> reader, bool joined) {
  Graph graph("small");
  const OpId input = graph.add_input("input", {4, 5, 5});
  const OpId a = graph.add("a", {graph.all(input)}, {pointwise(4)});
  graph.add("b", {graph.all(a)}, {Activate{}, pointwise(4)});
  if (joined) graph.add("c", {reads.empty() ? graph.all(a) : reads}, std::move(reader));
  graph.end_block("all");
  return leading_relus(*with_early_relu(graph));
}

TEST(EarlyRelu, StaysWhereAnotherReaderNeedsTheValueBefore) {
  EXPECT_EQ(leading({}, {}, false), 0);
  EXPECT_EQ(leading({}, {Activate{}, pointwise(2)}, true), 0);
  EXPECT_EQ(leading({}, {pointwise(2)}, true), 1);                                  // no ReLU
  EXPECT_EQ(leading({}, {Activate{Activation::tanh}, pointwise(2)}, true), 1);      // another activation
  EXPECT_EQ(leading({{1, 0, 4}, {0, 0, 4}}, {Activate{}, pointwise(2)}, true), 2);  // reads a sum
}

TEST(EarlyRelu, StatedMovesAreChecked) {
  Graph graph("small");
  const OpId input = graph.add_input("input", {4, 6, 6});
  graph.add("a", {graph.all(input)}, {pointwise(4)});
  graph.end_block("all");
  EXPECT_THROW(graph.set_relu_moves({.early = {false}, .relieved = {false}}), Error);
  EXPECT_THROW(graph.set_relu_moves({.early = {false, true}, .relieved = {false, false}}), Error);
  graph.set_relu_moves({.early = {false, false}, .relieved = {false, true}});
  EXPECT_EQ(network_layers(graph.op(1)), (std::vector<Layer>{Activate{}, pointwise(4)}));
}

}  // namespace
}  // namespace opsched::test

// ReLUs moved from readers into the operators that they read.
#include "core/graph/early_relu.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"

namespace opsched::test {
namespace {

constexpr Conv2d pointwise(int channels) { return {.out_channels = channels}; }

/// Cells as in NasNet: convolutions, most of which begin with a ReLU, and sums and joins of them.
class RandomCells {
 public:
  explicit RandomCells(std::uint64_t seed) : random_(seed) {}

  Graph draw(int units) {
    Graph graph("cells", 1 + below(2));
    graph.add_input("input", {kChannels, 5, 5});
    for (int i = 0; i < units; ++i) add_unit(graph, "unit" + std::to_string(i));
    graph.end_block("all");
    return graph;
  }

 private:
  static constexpr int kChannels = 4;

  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }

  void add_unit(Graph& graph, const std::string& name) {
    std::vector<Term> terms;
    const int width = 1 + below(2), count = 1 + below(3);
    for (int t = 0; t < count; ++t) {
      Term term;
      for (int v = 0; v < width + (below(9) == 0 ? 1 : 0); ++v) {
        const OpId id = below(3) == 0 ? below(graph.size()) : graph.size() - 1 - below(std::min(3, graph.size()));
        const int begin = below(graph.op(id).output.c - 1);
        term.push_back({id, begin, begin + 2});
      }
      terms.push_back(term);
    }
    std::vector<Layer> layers;
    if (width == 1 || below(3) == 0) {
      if (below(8) > 0) layers.push_back(Activate{});
      if (below(2) == 0) {
        const int channels = 2 * count;
        layers.push_back(Conv2d{.out_channels = channels, .kernel = {3, 3}, .padding = {1, 1}, .groups = channels});
      }
      layers.push_back(pointwise(kChannels));
    }
    graph.add(name, terms, layers);
  }

  std::mt19937_64 random_;
};

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

TEST(EarlyRelu, ComputesTheSame) {
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Graph before = with_drawn_weights(RandomCells(seed).draw(12));
    const Graph after = with_early_relu(before);
    const std::vector<Tensor> inputs = {random_tensor(before.batch(), before.op(0).output, seed)};
    const std::vector<Tensor> expected = reference_outputs(before, inputs, 1),
                              got = reference_outputs(after, inputs, 1);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i].data, expected[i].data) << "seed " << seed;
    ASSERT_LE(leading_relus(after), leading_relus(before));
    moved += leading_relus(before) - leading_relus(after);
    EXPECT_EQ(leading_relus(with_early_relu(after)), leading_relus(after)) << "seed " << seed;
  }
  EXPECT_GT(moved, 100);
}

TEST(EarlyRelu, MakesPlainConvolutionsOfNasNets) {
  const Graph before = make_network("nasnet"), after = with_early_relu(before);
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
  return leading_relus(with_early_relu(graph));
}

TEST(EarlyRelu, StaysWhereAnotherReaderNeedsTheValueBefore) {
  EXPECT_EQ(leading({}, {}, false), 0);
  EXPECT_EQ(leading({}, {Activate{}, pointwise(2)}, true), 0);
  EXPECT_EQ(leading({}, {pointwise(2)}, true), 1);                                  // no ReLU
  EXPECT_EQ(leading({}, {Activate{Activation::tanh}, pointwise(2)}, true), 1);      // another activation
  EXPECT_EQ(leading({{1, 0, 4}, {0, 0, 4}}, {Activate{}, pointwise(2)}, true), 2);  // reads a sum
}

TEST(EarlyRelu, OfASplitGraphIsRefused) {
  Graph graph("small");
  const OpId input = graph.add_input("input", {4, 6, 6});
  const OpId a = graph.add("a", {graph.all(input)}, {pointwise(4)});
  graph.end_block("all");
  EXPECT_THROW(with_early_relu(graph.with_splits({{.op = a, .begins = {3}}})), Error);
}

}  // namespace
}  // namespace opsched::test

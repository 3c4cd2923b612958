#include "networks/random_dag.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"

namespace opsched {
namespace {

TEST(RandomDag, HasTheSizesAndRangesAskedFor) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const WeightedDag dag =
        random_dag({.operators = 200, .layers = 14, .dependencies = 400, .ratio = 0.8, .seed = seed});
    ASSERT_EQ(dag.size(), 200);
    ASSERT_EQ(dag.edges.size(), 400u);
    std::set<std::pair<int, int>> distinct;
    std::vector<int> in(200), out(200);
    for (const auto& e : dag.edges) {
      distinct.insert({e.from, e.to});
      ++out[e.from];
      ++in[e.to];
      EXPECT_DOUBLE_EQ(e.ms, std::max(0.1, 0.8 * dag.ms[e.to]));
    }
    EXPECT_EQ(distinct.size(), 400u);
    for (int v = 0; v < 200; ++v) {
      EXPECT_TRUE(dag.ms[v] >= 0.1 && dag.ms[v] <= 4);
      EXPECT_TRUE(dag.utilisation[v] >= 0.6 && dag.utilisation[v] <= 1);
      EXPECT_EQ(in[v] == 0, v == 0);
      EXPECT_EQ(out[v] == 0, v == 199);
    }
  }
}

TEST(RandomDag, LongestPathHasOneOperatorPerLayer) {
  for (int layers : {6, 10, 14, 22}) {
    SyntheticCost cost = synthetic_cost(random_dag({.operators = 200, .layers = layers, .dependencies = 400}));
    const Graph& graph = cost.graph();
    std::vector<int> depth(graph.size(), 0);
    for (OpId id : graph.units())
      for (OpId p : graph.preds(id)) depth[id] = std::max(depth[id], depth[p] + 1);
    EXPECT_EQ(*std::max_element(depth.begin(), depth.end()), layers);
  }
}

TEST(RandomDag, SameSeedSameDagOtherSeedOtherDag) {
  const WeightedDag a = random_dag({.seed = 7}), b = random_dag({.seed = 7}), c = random_dag({.seed = 8});
  EXPECT_EQ(a.ms, b.ms);
  EXPECT_EQ(a.utilisation, b.utilisation);
  EXPECT_EQ(a.edges, b.edges);
  EXPECT_NE(a.ms, c.ms);
}

TEST(RandomDag, IdsAreNotTopological) {
  const WeightedDag dag = random_dag({});
  EXPECT_TRUE(std::ranges::any_of(dag.edges, [](const auto& e) { return e.from > e.to; }));
}

TEST(RandomDag, RefusesWhatCannotBeMet) {
  EXPECT_THROW(random_dag({.layers = 2}), Error);
  EXPECT_THROW(random_dag({.operators = 10, .layers = 14}), Error);
  EXPECT_THROW(random_dag({.operators = 200, .layers = 4, .dependencies = 400}), Error);
  EXPECT_THROW(random_dag({.operators = 200, .dependencies = 150}), Error);
  EXPECT_THROW(random_dag({.operators = 20, .layers = 5, .dependencies = 1000}), Error);
  EXPECT_THROW(random_dag({.ratio = -1}), Error);
  EXPECT_NO_THROW(random_dag({.operators = 20, .layers = 3, .dependencies = 36}));  // all pairs
}

TEST(SyntheticCost, BecomesAGraphNamedByVertexWithItsCosts) {
  // 2 -> 0 -> 1, 2 -> 1
  const WeightedDag dag{"three", {1, 2, 3}, {0.5, 0.6, 0.7}, {{2, 0, 0.25}, {0, 1, 0.5}, {2, 1, 0.75}}};
  SyntheticCost cost = synthetic_cost(dag);
  const Graph& graph = cost.graph();
  ASSERT_EQ(graph.units().size(), 3u);
  const OpId v0 = graph.find("0"), v1 = graph.find("1"), v2 = graph.find("2"), x = graph.find("x");
  EXPECT_LT(v2, v0);
  EXPECT_LT(v0, v1);
  EXPECT_EQ(std::vector<OpId>(graph.preds(v2).begin(), graph.preds(v2).end()), std::vector<OpId>{x});
  EXPECT_EQ(graph.op(v1).output, (Shape{1, 1, 1}));
  EXPECT_EQ(cost.operator_ms(v1), 2);
  EXPECT_EQ(cost.utilisation(v2), 0.7);
  EXPECT_EQ(cost.transfer_ms(v2, v1, 0, 3), 0.75);
  EXPECT_EQ(cost.transfer_ms(v2, v1, 2, 2), 0);
  EXPECT_EQ(cost.transfer_ms(x, v2, 0, 1), 0);
  ASSERT_EQ(graph.blocks().size(), 1u);
}

TEST(SyntheticCost, StageLatencyIsTheFormula) {
  const WeightedDag dag{"four", {1, 2, 3, 4}, {0.5, 0.6, 0.7, 0.8}, {}};
  SyntheticCost cost = synthetic_cost(dag);
  const Graph& g = cost.graph();
  const auto stage = [&](std::vector<std::vector<std::string>> names) {
    Stage s;
    for (const auto& group : names) {
      s.groups.emplace_back();
      for (const auto& name : group) s.groups.back().push_back(g.find(name));
    }
    return cost.stage_ms(s);
  };
  EXPECT_DOUBLE_EQ(stage({{"2"}}), 3);
  EXPECT_DOUBLE_EQ(stage({{"0", "2"}}), 4);
  EXPECT_DOUBLE_EQ(stage({{"0"}, {"3"}}), 0.5 * 5 + 0.5 * 4);            // the longest one decides
  EXPECT_DOUBLE_EQ(stage({{"2"}, {"3"}}), 0.5 * 7 + 0.5 * (2.1 + 3.2));  // the work decides
  EXPECT_DOUBLE_EQ(stage({{"0", "3"}, {"1"}}), 0.5 * 7 + 0.5 * 5.0);
  EXPECT_THROW(cost.stage_ms({Strategy::merge, {{g.find("0"), g.find("1")}}}), Error);
}

TEST(SyntheticCost, StripsDivideTheDivisibleShare) {
  const WeightedDag dag{"chain", {2, 4, 1}, {0.6, 0.9, 1}, {{0, 1, 0.8}, {1, 2, 0.8}}, /*rows=*/8, /*divisible=*/0.5};
  SyntheticCost whole = synthetic_cost(dag);
  const Graph& graph = whole.graph();
  const Graph split = graph.with_splits({{graph.find("0"), {4}}, {graph.find("1"), {2}}});
  const auto cost = whole.of(split);
  const auto op = [&](const char* name) { return split.find(name); };
  EXPECT_DOUBLE_EQ(cost->operator_ms(op("0/0")), 2 * (0.5 + 0.5 * 4 / 8));
  EXPECT_DOUBLE_EQ(cost->operator_ms(op("1/0")), 4 * (0.5 + 0.5 * 2 / 8));
  EXPECT_DOUBLE_EQ(cost->operator_ms(op("1/1")), 4 * (0.5 + 0.5 * 6 / 8));
  EXPECT_DOUBLE_EQ(cost->operator_ms(op("2")), 1);
  EXPECT_EQ(cost->utilisation(op("1/1")), 0.9);
  // Rows [1, 8) are read, of which the first strip has [0, 4).
  EXPECT_DOUBLE_EQ(cost->transfer_ms(op("0/0"), op("1/1"), 0, 1), 0.8 * 3 / 8);
  EXPECT_DOUBLE_EQ(cost->transfer_ms(op("0/1"), op("1/1"), 0, 1), 0.8 * 4 / 8);
}

TEST(SyntheticCost, RefusesBadValues) {
  EXPECT_THROW(synthetic_cost({"d", {-1}, {0.5}, {}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1}, {0}, {}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1}, {1.5}, {}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1, 1}, {0.5, 0.5}, {{0, 1, -1}}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1, 1}, {0.5, 0.5}, {{0, 2, 1}}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1, 1}, {0.5, 0.5}, {{0, 1, 1}, {1, 0, 1}}}), Error);
  EXPECT_THROW(synthetic_cost({"d", {1}, {0.5}, {}, 8, 1.1}), Error);
}

}  // namespace
}  // namespace opsched

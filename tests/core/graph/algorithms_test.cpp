// Algorithms on random directed acyclic graphs, compared with their definitions.
#include "core/graph/algorithms.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "core/error.hpp"

namespace opsched {
namespace {

/// Vertices in any order; `density` in percent of all pairs.
Dag random_dag(int vertices, int density, std::mt19937_64& random) {
  std::vector<int> rank(vertices);
  std::iota(rank.begin(), rank.end(), 0);
  std::shuffle(rank.begin(), rank.end(), random);
  Dag dag(vertices);
  for (int u = 0; u < vertices; ++u)
    for (int v = 0; v < vertices; ++v)
      if (rank[u] < rank[v] && static_cast<int>(random() % 100) < density) boost::add_edge(u, v, dag);
  return dag;
}

/// Walks every path except along the edge (skip_from, skip_to).
bool reaches(const Dag& dag, int from, int to, int skip_from = -1, int skip_to = -1) {
  for (auto [it, end] = boost::adjacent_vertices(from, dag); it != end; ++it) {
    const int next = static_cast<int>(*it);
    if (from == skip_from && next == skip_to) continue;
    if (next == to || reaches(dag, next, to, skip_from, skip_to)) return true;
  }
  return false;
}

TEST(GraphAlgorithms, AncestorsAreTheVerticesThatReach) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 30; ++i) {
    const int n = 1 + static_cast<int>(random() % 14);
    const Dag dag = random_dag(n, 10 + 10 * (i % 4), random);
    const auto above = ancestors(dag);
    for (int u = 0; u < n; ++u)
      for (int v = 0; v < n; ++v) ASSERT_EQ(above[v].test(u), reaches(dag, u, v)) << u << " " << v;
  }
}

TEST(GraphAlgorithms, TransitiveReductionKeepsTheEdgesThatNoOtherPathImplies) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 30; ++i) {
    const int n = 1 + static_cast<int>(random() % 12);
    const Dag dag = random_dag(n, 20 + 15 * (i % 4), random);
    std::vector<std::pair<int, int>> kept;
    for (int v = 0; v < n; ++v)
      for (int u = 0; u < n; ++u)
        if (boost::edge(u, v, dag).second && !reaches(dag, u, v, u, v)) kept.emplace_back(u, v);
    ASSERT_EQ(transitive_reduction(dag), kept);
  }
}

TEST(GraphAlgorithms, TopologicalOrderPutsEveryVertexBehindItsPredecessorsTheSmallestFirst) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 30; ++i) {
    const int n = 1 + static_cast<int>(random() % 20);
    const Dag dag = random_dag(n, 15, random);
    const std::vector<int> order = topological_order(dag, [](int v) { return std::to_string(v); });
    std::vector<bool> done(n, false);
    for (const int v : order) {
      for (int u = 0; u < n; ++u) {
        if (done[u]) continue;
        bool ready = true;
        for (auto [edge, end] = boost::in_edges(u, dag); edge != end; ++edge)
          ready = ready && done[boost::source(*edge, dag)];
        ASSERT_EQ(u == v, ready && u <= v) << "a smaller vertex was ready, or this one was not";
      }
      done[v] = true;
    }
    ASSERT_EQ(static_cast<int>(order.size()), n);
  }
}

TEST(GraphAlgorithms, ACycleIsAnError) {
  Dag dag(3);
  boost::add_edge(0, 1, dag);
  boost::add_edge(1, 2, dag);
  boost::add_edge(2, 1, dag);
  EXPECT_THROW(ancestors(dag), Error);
  EXPECT_THROW(transitive_reduction(dag), Error);
}

}  // namespace
}  // namespace opsched

// Which vertices can run next, compared with the definition.
#include "core/graph/ready_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/graph/algorithms.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

/// Takes random ready vertices until none is left. `preds` lists the predecessors of each of `vertices`; -1 stands for
/// one that is done from the start.
void walk(ReadyList list, const std::vector<std::vector<int>>& preds, const std::vector<bool>& takes_part,
          std::mt19937_64& random) {
  std::vector<bool> done(preds.size(), false);
  for (std::size_t v = 0; v < preds.size(); ++v) done[v] = !takes_part[v];
  while (true) {
    std::vector<int> want;
    for (std::size_t v = 0; v < preds.size(); ++v)
      if (!done[v] && std::ranges::all_of(preds[v], [&](int p) { return done[p]; }))
        want.push_back(static_cast<int>(v));
    ASSERT_EQ(list.ready(), want);
    ASSERT_EQ(list.empty(), want.empty());
    if (want.empty()) break;
    std::vector<int> chosen;
    for (const int v : want)
      if (random() % 2) chosen.push_back(v);
    std::ranges::shuffle(chosen, random);
    if (chosen.empty()) {
      chosen = {want.front()};
      ASSERT_EQ(list.take_first(), want.front());
    } else {
      list.finish(chosen);
    }
    for (const int v : chosen) done[v] = true;
  }
  EXPECT_TRUE(std::ranges::all_of(done, [](bool d) { return d; }));
}

TEST(ReadyList, HoldsWhatNothingKeepsWaiting) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i) {
    const int n = 1 + static_cast<int>(random() % 20);
    std::vector<int> rank(n);
    for (int v = 0; v < n; ++v) rank[v] = v;
    std::ranges::shuffle(rank, random);
    std::vector<std::vector<int>> succs(n), preds(n);
    for (int u = 0; u < n; ++u)
      for (int v = 0; v < n; ++v)
        for (int times = static_cast<int>(random() % 4) - 1; rank[u] < rank[v] && times > 0; --times)
          succs[u].push_back(v), preds[v].push_back(u);  // some of them twice
    walk(ReadyList(succs), preds, std::vector<bool>(n, true), random);
  }
}

TEST(ReadyList, InputsOfAGraphAreDoneFromTheStart) {
  std::mt19937_64 random(2);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(3);
    std::vector<std::vector<int>> preds(graph.size());
    std::vector<bool> unit(graph.size());
    for (OpId op = 0; op < graph.size(); ++op) {
      preds[op].assign(graph.preds(op).begin(), graph.preds(op).end());
      unit[op] = !graph.op(op).is_input();
    }
    walk(ReadyList(graph), preds, unit, random);
  }
}

TEST(ReadyList, WhatWaitsInACycleNeverComes) {
  ReadyList list({{1}, {2}, {1, 3}, {}});
  EXPECT_EQ(list.take_first(), 0);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace opsched

// Random splits of a graph's operators into strips of rows.
#pragma once

#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/graph/strips.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched::test {

/// Of so many in a hundred of the operators that can be split, into 2 to 4 strips of any height.
inline std::vector<Split> random_splits(const Graph& graph, int percent, std::uint64_t seed) {
  Random random(seed);
  std::vector<Split> splits;
  for (OpId op : graph.units()) {
    if (!why_whole(graph, op).empty() || !random.chance(percent)) continue;
    std::set<int> rows;
    for (int i = 0, n = 1 + random.below(3); i < n; ++i) rows.insert(1 + random.below(graph.op(op).output.h - 1));
    Split split{op, {rows.begin(), rows.end()}};
    try {
      graph.with_splits({split});
    } catch (const Error&) {
      continue;  // some row depends on padding alone
    }
    splits.push_back(std::move(split));
  }
  return splits;
}

}  // namespace opsched::test

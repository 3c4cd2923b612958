// Random splits of a graph's operators into strips of rows or images.
#pragma once

#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/graph/strips.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched::test {

/// Splits this percentage of the divisible operators into 2 to 4 strips of any size; half of the time along images, if
/// there are several.
inline std::vector<Split> random_splits(const Graph& graph, int percent, std::uint64_t seed) {
  Random random(seed);
  std::vector<Split> splits;
  for (OpId op : graph.units()) {
    const Along along = graph.batch() > 1 && random.chance(50) ? Along::images : Along::rows;
    if (!why_whole(graph, op, along).empty() || !random.chance(percent)) continue;
    const int all = extent(graph.op(op), graph.batch(), along);
    std::set<int> begins;
    for (int i = 0, n = 1 + random.below(3); i < n; ++i) begins.insert(1 + random.below(all - 1));
    Split split{op, {begins.begin(), begins.end()}, along};
    try {
      graph.with_splits({split});
    } catch (const Error&) {
      continue;  // some rows depend only on padding
    }
    splits.push_back(std::move(split));
  }
  return splits;
}

}  // namespace opsched::test

// What a stage reads from outside it, and what leaves it.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "core/runtime/tensor.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched::test {

struct StageValues {
  std::vector<Tensor> inputs, outputs;  ///< in the order in which lower_stages() has them
};

/// `values`: by operator.
inline StageValues values_of(const Graph& graph, const Stage& stage, std::span<const Tensor> values) {
  std::vector<bool> inside(graph.size(), false);
  for (const Group& group : stage.groups)
    for (OpId op : group) inside[op] = true;
  const auto is_inside = [&](OpId op) { return inside[op]; };
  StageValues stage_values;
  for (OpId op = 0; op < graph.size(); ++op) {
    const auto succs = graph.succs(op);
    if (!inside[op] && std::ranges::any_of(succs, is_inside)) stage_values.inputs.push_back(values[op]);
    if (inside[op] && (succs.empty() || !std::ranges::all_of(succs, is_inside)))
      stage_values.outputs.push_back(values[op]);
  }
  return stage_values;
}

}  // namespace opsched::test

// Which parts of a schedule wait for which: the basis of validation and issue order.
#pragma once

#include <vector>

#include "core/graph/algorithms.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// Vertices are units that start together: a stage in barrier mode; in dataflow mode an operator, or all operators of
/// a merge. Edges: every dependence, and the next vertex on the device (barrier) or stream (dataflow). Numbered by
/// stage, then position in the group, then device, then group.
struct OrderGraph {
  Dag dag;
  std::vector<int> vertex_of;                ///< by OpId; -1: not placed
  std::vector<std::vector<OpId>> operators;  ///< by vertex; a stage's round robin over its groups
};

/// Requires every operator placed at most once, and valid ids; the result may have cycles.
OrderGraph order_graph(const Graph& graph, const Schedule& schedule);

}  // namespace opsched

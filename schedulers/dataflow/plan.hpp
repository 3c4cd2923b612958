// A dataflow schedule of one device in a form suited for searching.
#pragma once

#include <span>
#include <vector>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// A unit is an operator, or all operators of a merge.
struct DataflowPlan {
  std::vector<std::vector<OpId>> units;
  std::vector<int> order;   ///< units in launch order, topological; every stream runs its own in this order
  std::vector<int> stream;  ///< of each unit; a merge is on stream 0
};

/// Dependences between units.
struct UnitEdges {
  std::vector<std::vector<int>> preds, succs;  ///< of each unit, ascending
};

/// Of a valid dataflow schedule. Priorities are not part of a plan.
DataflowPlan plan_of(const Graph& graph, const Schedule& schedule);
/// From a topological order of all operators and the operators of each stream.
DataflowPlan plan_of(const Graph& graph, const std::vector<OpId>& order, std::span<const Group> streams);
UnitEdges edges_of(const Graph& graph, const DataflowPlan& plan);

/// Valid if the plan is. Streams are numbered in the order of their first units, except one that has merges.
Schedule schedule_of(const Graph& graph, const DataflowPlan& plan);

/// The same streams, each in its own order, with a different launch order: of the units that may come next, the one
/// with the largest key first, ties by number.
DataflowPlan relaunched(const Graph& graph, const DataflowPlan& plan, std::span<const double> key);

/// Converts values by operator to values by unit: a merge has the maximum over its operators.
std::vector<double> by_unit(const DataflowPlan& plan, std::span<const double> by_operator);

}  // namespace opsched

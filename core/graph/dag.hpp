// The graph's edges as a Boost.Graph, for its algorithms.
#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

using Dag = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS>;

/// One vertex an operator (same index), one edge from an operator to each that reads it.
Dag to_dag(const Graph& graph);

/// Topological order of a DAG, smallest vertex first among the ready ones.
/// Throws Error naming (by `name_of`) the vertices of one cycle if it is not acyclic.
std::vector<int> topological_order(const Dag& dag, const std::function<std::string(int)>& name_of);

}  // namespace opsched

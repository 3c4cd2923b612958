// Algorithms on directed acyclic graphs, using Boost.Graph.
#pragma once

#include <boost/dynamic_bitset.hpp>
#include <boost/graph/adjacency_list.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

using Dag = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS>;

/// One vertex per operator (same index), and one edge from an operator to each of its readers.
Dag to_dag(const Graph& graph);

/// Topological order of a DAG, smallest ready vertex first. If there is a cycle, throws Error naming its vertices
/// (with `name_of`).
std::vector<int> topological_order(const Dag& dag, const std::function<std::string(int)>& name_of);

/// For every vertex, the vertices from which it can be reached, except itself. Throws Error if there is a cycle.
std::vector<boost::dynamic_bitset<>> ancestors(const Dag& dag);

/// Transitive reduction: the edges that are not implied by other paths (from, to), by target, then source. Throws
/// Error if there is a cycle.
std::vector<std::pair<int, int>> transitive_reduction(const Dag& dag);

}  // namespace opsched

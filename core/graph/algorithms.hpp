// Algorithms on directed acyclic graphs, on Boost.Graph.
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

/// One vertex an operator (same index), one edge from an operator to each that reads it.
Dag to_dag(const Graph& graph);

/// Topological order of a DAG, smallest vertex first among the ready ones.
/// Throws Error naming (by `name_of`) the vertices of one cycle if it is not acyclic.
std::vector<int> topological_order(const Dag& dag, const std::function<std::string(int)>& name_of);

/// For every vertex the vertices from which it can be reached, itself left out. Throws Error where there is a cycle.
std::vector<boost::dynamic_bitset<>> ancestors(const Dag& dag);

/// The edges that no other path implies (from, to), by target, then source. Throws Error where there is a cycle.
std::vector<std::pair<int, int>> transitive_reduction(const Dag& dag);

}  // namespace opsched

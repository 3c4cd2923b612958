// A piece of a graph as a graph of its own.
#pragma once

#include <span>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// These operators (ascending), in one block; what they read from outside becomes inputs. Weights that
/// came with the graph are left behind.
Graph subgraph(const Graph& graph, std::span<const OpId> ops, const std::string& name);

}  // namespace opsched

// Blocks for a graph that comes without any.
#pragma once

#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Cuts the units, in their order, after every operator through which all data has to pass: what comes
/// later reads nothing from before it. What lies between two such operators becomes a block; operators
/// that follow each other in a plain chain share one.
std::vector<Block> natural_blocks(const Graph& graph);

}  // namespace opsched

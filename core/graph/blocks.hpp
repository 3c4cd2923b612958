// Blocks: found in a graph that comes without any, and cut out of one.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Cuts the units, in their order, after every operator through which all data has to pass: what comes
/// later reads nothing from before it. What lies between two such operators becomes a block; operators
/// that follow each other in a plain chain share one.
std::vector<Block> natural_blocks(const Graph& graph);

/// One block as a graph of its own, "GRAPH/BLOCK"; what it reads from outside becomes its inputs, in the
/// same shape and under the same name. Throws Error naming the blocks where there is none of this name.
Graph block_graph(const Graph& graph, const std::string& block);

}  // namespace opsched

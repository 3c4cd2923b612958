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

/// A block, or any operators (ascending) that are stated as one, as a graph of its own; what they read from
/// outside becomes its inputs, in the same shape and under the same name.
Graph cut_out(const Graph& graph, const Block& block, const std::string& name);
/// One block of the graph, as "GRAPH/BLOCK". Throws Error naming the blocks where there is none of this name.
Graph block_graph(const Graph& graph, const std::string& block);

}  // namespace opsched

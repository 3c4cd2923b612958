// Finding blocks in a graph that has none, and extracting blocks.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Cuts the units, in order, after every operator through which all data passes, so that nothing later reads anything
/// earlier. The units between two such operators become a block. Consecutive operators of a plain chain share a block.
std::vector<Block> natural_blocks(const Graph& graph);

/// A block, or any operators (ascending), as a separate graph. What they read from outside becomes an input with the
/// same shape and name.
Graph cut_out(const Graph& graph, const Block& block, const std::string& name);
/// One block of the graph, as "GRAPH/BLOCK". Throws Error listing the blocks if there is none of this name.
Graph block_graph(const Graph& graph, const std::string& block);

}  // namespace opsched

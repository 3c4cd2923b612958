// How many operations a graph takes, in the way IOS counts them.
#pragma once

#include "core/graph/graph.hpp"

namespace opsched {

/// Operations for one image as IOS's public code counts them, which is what its tables call
/// multiply-accumulates. Besides the convolutions' multiply-accumulates (Graph::macs) they have one
/// operation for each bias and for each value that an operator or layer reads, the window's size for
/// each input of a pool, and four for each element of an activation on its own.
std::int64_t ios_operations(const Graph& graph, OpId id);
std::int64_t ios_operations(const Graph& graph);

}  // namespace opsched

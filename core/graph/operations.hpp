// The number of operations of a graph, counted as in IOS.
#pragma once

#include "core/graph/graph.hpp"

namespace opsched {

/// Operations for one image as counted by the public IOS code; IOS's tables call them multiply-accumulates. In
/// addition to the multiply-accumulates of convolutions (Graph::macs), there is one operation for each bias and each
/// value that an operator or layer reads, the window size for each input of a pool, and four for each element of a
/// separate activation.
std::int64_t ios_operations(const Graph& graph, OpId id);
std::int64_t ios_operations(const Graph& graph);

}  // namespace opsched

// A graph as a text table.
#pragma once

#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// Short description of a layer: "conv 3x3/2 pad 1 -> 64 relu", "max pool 3x3/2".
std::string describe(const Layer& layer);

/// Totals, then one line per block (or part): units, convolution multiply-accumulates, operations as counted by IOS,
/// weights and outputs in MB (10^6 bytes, fp32, one image), output shape. With `operators`, followed by one line per
/// operator.
std::string describe(const Graph& graph, bool operators = false);

}  // namespace opsched

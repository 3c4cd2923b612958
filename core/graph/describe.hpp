// A graph as a text table.
#pragma once

#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// What a layer is, in a few words: "conv 3x3/2 pad 1 -> 64 relu", "max pool 3x3/2".
std::string describe(const Layer& layer);

/// Totals, then a line a block (or part): units, convolution multiply-accumulates, operations as IOS
/// counts them, weights and outputs in MB (10^6 bytes, fp32, one image), output shape. With
/// `operators`, a line an operator after that.
std::string describe(const Graph& graph, bool operators = false);

}  // namespace opsched

// ReLU applied where a tensor is written, instead of by each of its readers.
#pragma once

#include "core/graph/graph.hpp"

namespace opsched {

/// The same computation with a reader's leading ReLU done by the operators that it reads, if all of these can do so at
/// no cost: they end in a convolution without activation, or add up sums of equally many values, and everything that
/// reads them applies a ReLU first, to no sum. The reader is then a plain convolution, for which more kernels exist.
/// Names, ids, blocks and weights stay. Throws Error for a graph that is split.
Graph with_early_relu(const Graph& graph);

}  // namespace opsched

// ReLU applied when a tensor is written, instead of by each of its readers.
#pragma once

#include <memory>

#include "core/graph/graph.hpp"

namespace opsched {

/// The same computation, with the leading ReLU of a reader moved into the operators that it reads, if all of them can
/// apply it at no cost: they end in a convolution without activation, or add sums of equally many values, and all
/// their readers apply ReLU first, to no sum. The reader then becomes a plain convolution, for which there are more
/// kernels. The graph itself, which must then outlive the result, if nothing moves.
///
/// Only layers change (ReluMoves says where). Names, ids, edges, blocks, splits, drawn weights and fingerprints stay,
/// and both graphs have the same valid schedules.
std::shared_ptr<const Graph> with_early_relu(const Graph& graph);

}  // namespace opsched

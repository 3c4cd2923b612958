// Strips: operators that compute a part of another operator's output.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// The input of a strip, and its layers: those of its operator, with padding only at the image border.
struct Strip {
  Range reads;  ///< rows of the operator's input
  std::vector<Layer> layers;
};

/// The strip that computes these rows of an operator's output, or, if the operator ends in a global pool, processes
/// these rows of the pool's input: a strip of an average then gives its partial sum, and a strip of a maximum its own
/// maximum. Throws Error if a layer cannot be split, or if rows depend only on padding.
Strip strip_of(const Operator& op, Range rows);

/// Does an operator end in the average or maximum of the whole image? Its strips are then combined by an additional
/// operator.
bool ends_in_global_pool(const Operator& op);
/// The operator that combines the strips of a global maximum: the maximum of their outputs, stacked vertically. An
/// average is combined by a sum.
Pool2d pool_of_strips(int strips);

/// Number of rows or images that the strips of an operator divide.
int extent(const Operator& op, int batch, Along along);

/// Why this operator cannot be split, as words that follow its name; empty if it can.
std::string why_whole(const Graph& graph, OpId id, Along along = Along::rows);

/// The split into `strips` strips of nearly equal height (or number of images), each a multiple of `multiple` if every
/// strip gets at least one multiple; fewer strips if there are fewer rows.
Split even_split(const Graph& graph, OpId id, int strips, int multiple = 1, Along along = Along::rows);

/// The rows or images of strip `i` of a split of this total.
Range range_of(const Split& split, std::size_t i, int extent);

}  // namespace opsched

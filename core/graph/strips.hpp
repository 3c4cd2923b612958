// Strips: what computes a part of an operator's output.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// What a strip reads, and its layers: those of its operator, with padding only where the image ends.
struct Strip {
  Range reads;  ///< rows of the operator's input
  std::vector<Layer> layers;
};

/// The strip that computes these rows of an operator's output; of what a global pool reads, where it ends in one: a
/// strip of an average then gives its summand of it, that of a maximum its own. Throws Error where a layer cannot be
/// split, or where rows depend on padding alone.
Strip strip_of(const Operator& op, Range rows);

/// Does an operator end in the average or the maximum of the whole image? Its strips are then put together by one more
/// operator.
bool ends_in_global_pool(const Operator& op);
/// Of the strips of a global maximum: the maximum of their outputs, one below the other. An average is a sum.
Pool2d pool_of_strips(int strips);

/// How many rows or images the strips of an operator divide among them.
int extent(const Operator& op, int batch, Along along);

/// Why this operator stays whole, in words that follow its name; empty: it can be split.
std::string why_whole(const Graph& graph, OpId id, Along along = Along::rows);

/// The split into `strips` strips of nearly equal height (or number of images), of a multiple of `multiple` where that
/// leaves one for each; fewer strips where there are fewer rows.
Split even_split(const Graph& graph, OpId id, int strips, int multiple = 1, Along along = Along::rows);

/// The rows or images of strip `i` of a split, of so many.
Range range_of(const Split& split, std::size_t i, int extent);

}  // namespace opsched

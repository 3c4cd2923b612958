// Strips: what computes some rows of an operator's output.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// What a strip reads, and its layers: those of its operator, with padding only where the image ends.
struct Strip {
  Rows reads;  ///< of the operator's input
  std::vector<Layer> layers;
};

/// The strip that computes these rows. Throws Error where a layer cannot be split, or where rows depend on padding
/// alone.
Strip strip_of(const Operator& op, Rows rows);

/// Why this operator stays whole, in words that follow its name; empty: it can be split.
std::string why_whole(const Graph& graph, OpId id);

/// The split into `strips` strips of nearly equal height, of a multiple of `multiple` rows where that leaves a row for
/// each; fewer strips where there are fewer rows.
Split even_split(const Graph& graph, OpId id, int strips, int multiple = 1);

}  // namespace opsched

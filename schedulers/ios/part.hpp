// The pieces of a graph on which the IOS search runs, one after another.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "schedulers/ios/options.hpp"

namespace opsched {

/// One part of a block, its operators numbered 0, 1, ... in topological order (below: "vertices").
struct IosPart {
  std::string block;
  int index = 0;                        ///< among the parts of its block
  std::vector<OpId> ops;                ///< vertex -> operator
  std::vector<std::vector<int>> preds;  ///< within the part
  std::vector<std::vector<int>> succs;
  enum class Made { named, whole_block, piece } made = Made::piece;  ///< by the graph; or out of a block, by size
  /// Vertices of one class may be merged, in any choice (can_merge is an equivalence).
  std::vector<int> merge_class;

  int size() const { return static_cast<int>(ops.size()); }
  /// "block 'x'" or "block 'x' part 3".
  std::string name() const;
};

/// The blocks of the graph, in order, each split into its parts; a block that has none is cut into
/// runs of at most max_part_size operators. Throws Error where a part reads from a later one: their
/// stages could not be run one part after another.
std::vector<IosPart> ios_parts(const Graph& graph, int max_part_size);

/// A part of several operators in two, one after the other, where few values pass from the first to the second.
std::pair<IosPart, IosPart> halves(const Graph& graph, const IosPart& part);

/// The number of non-empty sets of vertices closed under predecessors: the states of the search,
/// whatever its pruning, since a state may always give up one of its last operators. A decimal
/// string; with "at least " before it where exact counting is out of reach as well.
std::string count_states(const IosPart& part);

/// The stage of these vertices: its groups are the connected components. A merge of a single
/// operator is that operator run alone.
Stage make_stage(const IosPart& part, Strategy strategy, const std::vector<int>& vertices);

}  // namespace opsched

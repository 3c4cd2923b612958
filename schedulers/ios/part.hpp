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
  /// Given by the graph; otherwise cut from a block by size.
  enum class Made { named, whole_block, piece } made = Made::piece;
  /// Vertices of one class may be merged in any combination (can_merge is an equivalence relation).
  std::vector<int> merge_class;

  int size() const { return static_cast<int>(ops.size()); }
  /// "block 'x'" or "block 'x' part 3".
  std::string name() const;
};

/// The blocks of the graph, in order, each divided into its parts. A block without parts is divided into runs of at
/// most max_part_size operators. Throws Error if a part reads from a later one, because their stages could not run one
/// part after another.
std::vector<IosPart> ios_parts(const Graph& graph, int max_part_size);

/// Divides a part of several operators into two consecutive ones, where few values pass from the first to the second.
std::pair<IosPart, IosPart> halves(const Graph& graph, const IosPart& part);

/// The number of non-empty sets of vertices closed under predecessors. These are the states of the search, whatever
/// the pruning, because a last operator can always be removed from a state. A decimal string, preceded by "at least "
/// if exact counting is infeasible.
std::string count_states(const IosPart& part);

/// The stage of these vertices; its groups are the connected components. A merge of a single operator is the operator
/// itself.
Stage make_stage(const IosPart& part, Strategy strategy, const std::vector<int>& vertices);

}  // namespace opsched

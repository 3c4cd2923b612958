// The cost of merging convolutions for their readers.
//
// An operator writes its output directly into the concatenation that reads it. Merged convolutions write next to each
// other instead. Unless they are also adjacent in the concatenation, it has to copy.
#pragma once

#include <span>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Where an output is written in place: a term of the first reader that concatenates it as a whole.
struct JoinSlot {
  OpId reader = -1;  ///< -1: nowhere
  int term = 0;
};

/// By operator.
std::vector<JoinSlot> join_slots(const Graph& graph);

/// The merged operators whose outputs have to be copied into their slots, in the order of the slots.
std::vector<OpId> copied_outputs(std::span<const JoinSlot> slots, std::span<const OpId> merged);

/// Readers of this operator's slice of the merged output, except the concatenation that owns its slot (if any), into
/// which it is copied or written in place. Ascending.
std::vector<OpId> readers_of_part(const Graph& graph, std::span<const JoinSlot> slots, OpId op);

}  // namespace opsched

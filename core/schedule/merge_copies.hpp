// What merging convolutions costs their readers.
//
// An operator writes its output straight into the concatenation that reads it. Merged convolutions
// write side by side instead; unless the concatenation has them side by side, too, it has to copy.
#pragma once

#include <span>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Where an output is written in place: as a term of the first reader that concatenates it whole.
struct JoinSlot {
  OpId reader = -1;  ///< -1: nowhere
  int term = 0;
};

/// By operator.
std::vector<JoinSlot> join_slots(const Graph& graph);

/// Those of the merged operators whose outputs have to be copied into their slots, in the order of
/// the slots.
std::vector<OpId> copied_outputs(std::span<const JoinSlot> slots, std::span<const OpId> merged);

/// Readers of this operator's slice of the merged output: all but the concatenation that owns its slot, if there is
/// one, into which it is copied or written in place. In ascending order.
std::vector<OpId> readers_of_part(const Graph& graph, std::span<const JoinSlot> slots, OpId op);

}  // namespace opsched

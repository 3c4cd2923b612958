// The cost of merging convolutions for their readers.
//
// An operator writes its output directly into the concatenation that reads it. Merged convolutions write next to each
// other instead. If those with a place in the concatenation are at its beginning or end, the others lie beside it, in
// one wider buffer: the merged output and the concatenation overlap in it. Otherwise, or if readers of the
// concatenation need dense pixels, the merge has to copy.
#pragma once

#include <span>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Slices of a wider buffer begin at multiples of this many channels (16 bytes in fp16): kernels need aligned slices.
constexpr int kSliceChannels = 8;

/// Where an output is written in place: a term of the first reader that concatenates it as a whole.
struct JoinSlot {
  OpId reader = -1;  ///< -1: nowhere
  int term = 0;
  bool begins = false, ends = false;  ///< first or last term of a join that may be a slice of a wider buffer
  bool aligned = false;               ///< the output has a multiple of kSliceChannels, wherever it is written
};

/// By operator.
std::vector<JoinSlot> join_slots(const Graph& graph);

/// How a merged output and a concatenation that reads some of it share memory.
struct MergedPlace {
  enum class Kind {
    apart,         ///< no output has a slot
    inside,        ///< all outputs lie side by side in the concatenation
    before_begin,  ///< those with a slot are its first terms; the others lie before it
    behind_end,    ///< those with a slot are its last terms; the others lie behind it
    copied,        ///< those with a slot are copied there
  };
  Kind kind = Kind::apart;
  std::vector<OpId> with_slot;  ///< in the order of the slots
  bool is_beside() const { return kind == Kind::before_begin || kind == Kind::behind_end; }
};
MergedPlace merged_place(std::span<const JoinSlot> slots, std::span<const OpId> merged);

/// The merged operators whose outputs have to be copied into their slots, in the order of the slots.
std::vector<OpId> copied_outputs(std::span<const JoinSlot> slots, std::span<const OpId> merged);

/// Readers of this operator's slice of the merged output, except the concatenation that owns its slot (if any), into
/// which it is copied or written in place. Ascending.
std::vector<OpId> readers_of_part(const Graph& graph, std::span<const JoinSlot> slots, OpId op);

}  // namespace opsched

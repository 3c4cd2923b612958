// Where the outputs of operators live, before there are buffers.
#pragma once

#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"
#include "core/schedule/merge_copies.hpp"

namespace opsched {

/// Channels [channel, channel + channels) of a region of a root; a root becomes one buffer.
struct Place {
  int root = -1;
  int channel = 0, channels = 0;
  Region region{};
};

/// Channels and a region of an operator's output that another device reads, and so receives.
struct Import {
  int device = 0;
  Value value;  ///< of what holds the output
  Region region{};
};

/// Gives every output one home on its device, and one on every device that receives it. A concatenation
/// claims the homes of its terms as slices of one root, the earliest reader first, so that the
/// producers write in place. An output has one home, so a second concatenation has to copy, unless it contains all of
/// the first, side by side and aligned: then the first is a slice of the second (DenseNet's blocks, where
/// concatenations grow).
/// A join of one value is only a name for it, and merged convolutions lie side by side, if necessary across the
/// beginning or end of a concatenation of some of them (merge_copies.hpp). Homes have all images and rows,
/// so that strips write theirs, halos arrive between them, and all of this holds for a split operator as for a whole
/// one.
class MemoryLayout {
 public:
  struct Root {
    int device = 0;
    Shape shape;
    int padding = 0;  ///< channels behind those of `shape`, which nothing depends on
  };

  /// `device`: of every operator, inputs included. `merges`: operators that become one convolution. Roots get
  /// channels up to a multiple of `vector_channels` where all that lies there is one whole output, and its operator
  /// can write them: it has a convolution over all channels, or reads nothing but such roots.
  MemoryLayout(const Graph& graph, std::vector<int> device, std::vector<std::vector<OpId>> merges, int vector_channels);

  const Root& root(int id) const { return nodes_[id].what; }
  /// Is this all of a root with padding?
  bool is_padded(const Place& place) const;
  /// Is all that an operator reads padded, so that it can read the padding along?
  bool reads_padding(OpId op) const;
  /// Home of an output on the device of its operator.
  Place output(OpId op) const;
  /// Home of a merged convolution's output.
  Place merged_output(int merge) const { return place(merge_node_[merge]); }
  /// Where a device reads a region of a value.
  Place value(const Value& value, const Region& region, int device) const;
  /// Where an operator reads a value.
  Place value(const Value& value, OpId reader) const;
  /// Where the terms of an operator with layers are put side by side, if they do not lie so already: the region
  /// that it reads.
  Place joined(OpId op) const;
  /// What other devices receive of this operator's output, by device.
  const std::vector<Import>& imports(OpId op) const { return imports_[op]; }
  /// Operators of a merge in the order in which their channels lie.
  const std::vector<OpId>& merge(int id) const { return merges_[id]; }

 private:
  /// An output, an input or a group of them; either a root or channels of its parent.
  struct Node {
    Root what;
    int parent = -1, channel = 0;
    bool fixed = false;  ///< a root that cannot become part of another
  };

  int add_node(int device, Shape shape);
  /// The node that has an operator's output on a device.
  int instance(OpId op, int device) const;
  Place place(int node) const;
  Shape joined_shape(const Operator& op) const;
  bool imports_what_is_there(OpId join) const;
  void share_regions(OpId join);
  bool is_whole(const Value& value, int node) const;
  bool can_claim(const Value& value, int device) const;
  bool claim(const Value& value, int device, int parent, int channel);
  void collect_imports();
  void place_terms(OpId op);
  /// Number of terms from `first` on that are together all of a root which can become a slice of `target`, from
  /// `channel` on; 0: none.
  std::size_t whole_root(const std::vector<Term>& terms, std::size_t first, int device, int target, int channel) const;
  bool place_columns(const Operator& op, int device);
  bool side_by_side(const std::vector<Value>& column, int device) const;
  void place_merge(int merge);
  bool place_beside_join(int merge);
  void pad_roots(int vector_channels);
  bool writes_padding(OpId op) const;

  const Graph& graph_;
  std::vector<int> device_;
  std::vector<std::vector<OpId>> merges_;
  int vector_channels_;
  std::vector<JoinSlot> slots_;  ///< empty without merges
  std::vector<Node> nodes_;
  std::vector<int> home_;        ///< node of a unit's or input's output on its own device
  std::vector<int> joined_;      ///< node of an operator's concatenated input, -1: none
  std::vector<int> merge_node_;  ///< by merge
  std::vector<std::vector<Import>> imports_;
  std::map<std::pair<OpId, int>, int> instances_;                   ///< (operator that is not a strip, device) -> node
  std::map<std::pair<OpId, int>, std::vector<Region>> present_;     ///< regions of an instance that are present
  std::set<std::pair<OpId, int>> placed_;                           ///< stacks of joins that are placed, by device
  std::map<std::pair<OpId, int>, std::vector<OpId>> concatenated_;  ///< readers, by first operator read and device
  std::vector<int> first_channel_;                                  ///< of a node: the channel that it begins with
};

}  // namespace opsched

// A scheduling problem in flat arrays, used by the list schedulers of HIOS and by our own search.
#pragma once

#include <span>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// The operators of a graph, numbered by ascending latest start time (LST): the latest start that does not delay the
/// end, if everything else runs as early as possible and every transfer is paid in full (HIOS, section IV). The
/// numbers are a topological order, so devices that run their operators in ascending order always form a valid
/// schedule. All times in ms.
class HiosProblem {
 public:
  /// An edge as seen from one end: the operator at the other end, and the edge's number.
  struct Arc {
    int op, edge;
  };

  /// Queries the cost model for every latency and transfer. Throws Error if one is negative or not finite.
  HiosProblem(CostModel& cost, int devices);

  CostModel& cost() const { return *cost_; }
  int size() const { return static_cast<int>(ms_.size()); }
  int edges() const { return static_cast<int>(worst_.size()); }
  int devices() const { return devices_; }
  /// Are all transfers between any two devices equal?
  bool uniform() const { return links_.size() == 1; }
  /// The first device with which a device is interchangeable, or itself: two devices without operators that have the
  /// same links are interchangeable.
  int twin(int device) const { return twin_[device]; }

  OpId op(int v) const { return op_[v]; }
  double ms(int v) const { return ms_[v]; }
  /// Ascending by operator.
  std::span<const Arc> preds(int v) const { return {pred_.data() + pred_first_[v], pred_.data() + pred_first_[v + 1]}; }
  std::span<const Arc> succs(int v) const { return {succ_.data() + succ_first_[v], succ_.data() + succ_first_[v + 1]}; }

  /// Transfer time of an edge; 0 within a device.
  double transfer(int edge, int from, int to) const { return from == to ? 0.0 : links_[link(from, to)][edge]; }
  /// Largest transfer of an edge over all pairs of devices.
  double worst_transfer(int edge) const { return worst_[edge]; }
  /// Longest path from the start of an operator to the end of the graph, transfers in full.
  double rest(int v) const { return rest_[v]; }

 private:
  int link(int from, int to) const { return link_.empty() ? 0 : link_[from * devices_ + to]; }
  void find_twins();

  CostModel* cost_;
  int devices_;
  std::vector<OpId> op_;
  std::vector<double> ms_, rest_;
  std::vector<int> pred_first_, succ_first_;
  std::vector<Arc> pred_, succ_;
  std::vector<int> twin_;                   ///< by device
  std::vector<int> link_;                   ///< class of a pair of devices; empty: one device
  std::vector<std::vector<double>> links_;  ///< by class, by edge
  std::vector<double> worst_;
};

}  // namespace opsched

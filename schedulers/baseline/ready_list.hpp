// The operators that can run next, for schedulers that walk through a graph.
#pragma once

#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Units whose predecessors have all been done, ascending. Inputs are done from the start.
class ReadyList {
 public:
  explicit ReadyList(const Graph& graph);

  const std::vector<OpId>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }
  /// Marks ready operators as done, all at once; those that waited only for them become ready.
  void finish(const std::vector<OpId>& done);

 private:
  const Graph& graph_;
  std::vector<int> waiting_;  ///< predecessors that are not done
  std::vector<OpId> ops_;
};

}  // namespace opsched

// Kahn's algorithm, for callers that choose the next vertex by their own rule.
#pragma once

#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Vertices of a directed graph whose predecessors are all done, ascending.
class ReadyList {
 public:
  /// `succs`: successors of each vertex. A successor listed twice waits twice.
  explicit ReadyList(std::vector<std::vector<int>> succs);
  /// Units of a graph. Inputs are done from the start.
  explicit ReadyList(const Graph& graph);

  const std::vector<int>& ready() const { return ready_; }
  bool empty() const { return ready_.empty(); }
  /// Marks ready vertices as done together; vertices that waited only for them become ready.
  void finish(const std::vector<int>& done);
  /// Marks the smallest ready vertex as done and returns it.
  int take_first();

 private:
  std::vector<std::vector<int>> succs_;
  std::vector<int> waiting_;  ///< predecessors that are not done
  std::vector<int> ready_;
};

}  // namespace opsched

// The simplest schedule, and what a lowered program contains.
#pragma once

#include <algorithm>
#include <vector>

#include "core/runtime/program/order.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched::test {

/// One operator after another on one device.
inline Schedule sequential(const Graph& graph) {
  Schedule schedule{.graph = graph.name(), .scheduler = "", .mode = Mode::barrier, .devices = {{}}, .launch_order = {}};
  for (OpId op : graph.units()) schedule.devices[0].stages.push_back({Strategy::concurrent, {{op}}});
  return schedule;
}

/// Number of steps of a kind.
inline int count(const Program& program, Step::Kind kind) {
  return static_cast<int>(std::ranges::count(program.steps, kind, &Step::kind));
}

/// Number of steps that add a residual.
inline int residuals(const Program& program) {
  return static_cast<int>(
      std::ranges::count_if(program.steps, [](const Step& step) { return step.residual.has_value(); }));
}

/// Number of steps in the longest chain over streams and waits.
inline int longest_chain(const Program& program) {
  const Order order = order_of(program);
  std::vector<int> length(order.size(), 1);
  for (int b = 0; b < order.size(); ++b)
    for (int a = 0; a < b; ++a)
      if (order.before(a, b)) length[b] = std::max(length[b], length[a] + 1);
  return length.empty() ? 0 : *std::ranges::max_element(length);
}

}  // namespace opsched::test

// The simplest schedule, and what a lowered program contains.
#pragma once

#include <algorithm>

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

}  // namespace opsched::test

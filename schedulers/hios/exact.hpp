// Optimal schedules for a few operators.
#pragma once

#include <cstdint>

#include "schedulers/hios/problem.hpp"

namespace opsched {

struct Optimum {
  Schedule schedule;
  double makespan = 0;     ///< ms
  std::int64_t nodes = 0;  ///< number of partial schedules visited
};

/// A schedule with the smallest makespan among all barrier schedules with concurrent stages of up to `window`
/// operators, in groups of any form, by branch and bound from the initial schedule `start`. Requires valid bounds
/// (Capabilities::bounds_hold) and at most 20 operators. Throws Error otherwise, and after `most_nodes` partial
/// schedules.
Optimum find_optimum(const HiosProblem& problem, int window, const Schedule& start, std::int64_t most_nodes);

}  // namespace opsched

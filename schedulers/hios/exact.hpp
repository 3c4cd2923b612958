// The best schedule there is, for a few operators.
#pragma once

#include <cstdint>

#include "schedulers/hios/problem.hpp"

namespace opsched {

struct Optimum {
  Schedule schedule;
  double makespan = 0;     ///< ms
  std::int64_t nodes = 0;  ///< partial schedules that were looked at
};

/// A schedule of the least makespan among all barrier schedules with concurrent stages of up to `window`
/// operators, in groups of any form; by branch and bound from `start`, a schedule to beat. Needs
/// costs for which the bounds hold (Capabilities::bounds_hold), and at most 20 operators. Throws Error otherwise, and
/// after `most_nodes` partial schedules.
Optimum find_optimum(const HiosProblem& problem, int window, const Schedule& start, std::int64_t most_nodes);

}  // namespace opsched

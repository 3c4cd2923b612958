// Local search over dataflow schedules.
#pragma once

#include <cstdint>
#include <functional>

#include "schedulers/dataflow/plan.hpp"

namespace opsched {

struct MoveOptions {
  int tries = 1000;       ///< plans looked at
  int most_streams = 16;  ///< never more than these
  std::uint64_t seed = 1;
};

/// The best of the plans that it comes across by small changes: a unit to another stream (often that of a
/// unit that it reads or that reads it), a unit earlier or later in the order, two streams exchanging the rest
/// of their units. A change is kept if it makes the plan no slower, or no slower than it was some changes ago
/// (late acceptance: Burke and Bykov, European Journal of Operational Research, 2017). `ms` tells how long a plan
/// takes.
DataflowPlan improved(const Graph& graph, const DataflowPlan& start,
                      const std::function<double(const DataflowPlan&)>& ms, const MoveOptions& options);

}  // namespace opsched

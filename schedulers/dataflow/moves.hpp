// Local search over dataflow schedules.
#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "schedulers/dataflow/plan.hpp"

namespace opsched {

struct MoveOptions {
  int tries = 1000;       ///< plans looked at
  int most_streams = 16;  ///< never more than these
  std::uint64_t seed = 1;
};

/// The plan after at most this many small changes: a unit moves to another stream (often that of a unit it reads or
/// that reads it), a unit moves in the order, or two streams swap their remaining units. A change without effect is
/// left out.
DataflowPlan changed(const Graph& graph, DataflowPlan plan, int changes, int most_streams, std::mt19937_64& random);

/// The best plan found by such changes. A change is accepted if the plan is not slower than before, or not slower than
/// some changes ago (late acceptance: Burke and Bykov, European Journal of Operational Research, 2017). `ms` returns
/// the latency of a plan.
DataflowPlan improved(const Graph& graph, const DataflowPlan& start,
                      const std::function<double(const DataflowPlan&)>& ms, const MoveOptions& options);

}  // namespace opsched

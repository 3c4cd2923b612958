// Lower bounds on a makespan, and the distance of a schedule from them.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Name of a bound in tables: "lower bound" if Capabilities::bounds_hold, otherwise "estimated bound".
const char* bound_name(bool bounds_hold);

/// All in ms. If Capabilities::bounds_hold, no schedule can be shorter. For measured and recorded costs they are
/// estimates, because a solo latency includes a barrier, and a long group or a dataflow schedule does not have a
/// barrier per operator.
struct Bounds {
  double critical_path = 0;  ///< longest chain of solo latencies, without transfers
  double work = 0;           ///< device time of all operators, divided by the number of devices
  double lower() const;
  /// Relative distance of a makespan above the larger bound: 0.1 is 10%. 0 if both are 0.
  double gap(double makespan) const;
};

/// Bounds for schedules in this mode. Device time of an operator: Latencies::work_ms in barrier mode; in dataflow mode
/// the smaller of that and operator_ms * utilisation, because under the contention law operators can at best share a
/// device perfectly. Throws Error if `devices` is below 1.
Bounds lower_bounds(Latencies& cost, int devices, Mode mode = Mode::barrier);
/// Bounds for schedules with the splits, mode and number of devices of this one.
Bounds lower_bounds(CostModel& cost, const Schedule& schedule);

/// For every operator (by OpId), the longest chain of solo latencies from its start to the end of the graph, ms.
/// Inputs take no time.
std::vector<double> remaining_ms(Latencies& cost);

/// Slack of every operator, ms: latest start minus earliest start by solo latencies; 0 on the critical path.
std::vector<double> slack_ms(Latencies& cost);

}  // namespace opsched

// Lower bounds of a makespan, and how far a schedule is from them.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// What a bound is called in tables: "lower bound" where Capabilities::bounds_hold, else "estimated bound".
const char* bound_name(bool bounds_hold);

/// All in ms. Where Capabilities::bounds_hold, no schedule can be shorter. For measured and recorded costs
/// they are estimates: a solo latency includes a barrier that a long group or a dataflow schedule
/// does not pay for each operator.
struct Bounds {
  double critical_path = 0;  ///< longest chain of solo latencies; transfers may all be avoided
  double work = 0;           ///< device time of all operators, over the devices
  double lower() const;
  /// How much longer a makespan is than the larger bound: 0.1 is 10%. 0 if both are 0.
  double gap(double makespan) const;
};

/// Of schedules in this mode. Barrier: an operator takes Latencies::work_ms of a device; dataflow: operator_ms *
/// utilisation if that is less, for the contention law lets operators share a device perfectly at best. Throws Error if
/// `devices` is below 1.
Bounds lower_bounds(Latencies& cost, int devices, Mode mode = Mode::barrier);
/// Those of schedules with the splits, mode and number of devices of this one.
Bounds lower_bounds(CostModel& cost, const Schedule& schedule);

/// For every operator (by OpId) the longest chain of solo latencies from its start to the end of the
/// graph, ms; inputs take no time.
std::vector<double> remaining_ms(Latencies& cost);

/// Slack of every operator, ms: its latest start less its earliest start, by solo latencies; 0 on the critical path.
std::vector<double> slack_ms(Latencies& cost);

}  // namespace opsched

// The timeline of a simulated schedule.
#pragma once

#include "core/cost/cost_model.hpp"
#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// The result of simulate() as a trace; `source` is left empty. A merge is one event. Dataflow mode: every event as
/// simulated. Barrier mode: stages start and end as simulated; within a stage of several operators, the operators of a
/// group follow each other in proportion to their solo latencies, with the longest group filling the stage, and are
/// marked as estimated. Transfers have a row for each link.
Trace simulated_trace(CostModel& cost, const Schedule& schedule);

}  // namespace opsched

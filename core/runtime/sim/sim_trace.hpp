// The timeline of a simulated schedule.
#pragma once

#include "core/cost/cost_model.hpp"
#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// What simulate() finds, as a trace; `source` is left empty. A merge is one event. Dataflow mode: every
/// event as simulated. Barrier mode: stages start and end as simulated; inside a stage of several
/// operators, those of a group follow each other in proportion to their solo latencies, the longest group
/// filling the stage, and are marked as estimated. Transfers have a row for each link.
Trace simulated_trace(CostModel& cost, const Schedule& schedule);

}  // namespace opsched

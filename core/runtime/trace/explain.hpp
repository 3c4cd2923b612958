// Explains the events of a trace: what each computes, what it waited for, and which are on the critical path.
#pragma once

#include <functional>

#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// Fills in the second half of every event: operation, layers, shape, solo_ms, inputs, waited_for and critical.
/// `graph`: with or without the schedule's splits. `solo_ms`: of an operator of the scheduled graph, ms; empty:
/// unknown.
///
/// An event waits for the producers of what it reads (for their transfer, where they ran on another device; an
/// operator without an event of its own stands for what it reads), for the event before it on its stream or link, and
/// in barrier mode for the stage before it on its device. Call it last: it refers to events by index.
void explain(Trace& trace, const Graph& graph, const Schedule& schedule, const std::function<double(OpId)>& solo_ms);

}  // namespace opsched

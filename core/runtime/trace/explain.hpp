// Explains the events of a trace: what each computes, what it waited for, and which are on the critical path.
#pragma once

#include <functional>

#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// Fills in the second half of every event: operation, layers, shape, solo_ms, inputs, waited_for and critical.
/// `graph`: with or without the schedule's splits. `solo_ms`: latency in ms of an operator of the scheduled graph;
/// empty if unknown.
///
/// An event waits for the producers of what it reads, or for their transfers if they ran on another device. (An
/// operator without an event is replaced by what it reads.) It also waits for the preceding event on its stream or link
/// and, in barrier mode, for the preceding stage on its device. Call explain() last: it refers to events by index.
void explain(Trace& trace, const Graph& graph, const Schedule& schedule, const std::function<double(OpId)>& solo_ms);

}  // namespace opsched

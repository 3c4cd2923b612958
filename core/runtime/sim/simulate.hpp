// Simulates a schedule on a cost model, event by event.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/cost/evaluate.hpp"
#include "core/runtime/sim/prepared.hpp"

namespace opsched {

/// When and where each operator ran: enough for a trace.
struct Simulation {
  struct Transfer {
    OpId producer;
    int from, to;
    double start, end;
  };
  Timeline timeline;                ///< ms
  std::vector<Slot> slots;          ///< device and stream (group) of every operator
  std::vector<Transfer> transfers;  ///< in the order of their start
};

/// Any valid schedule, in its own mode; validated here. `cost`: of the graph with or without the schedule's splits;
/// operators of the result are those of the scheduled graph.
///
/// Both: the first operators start after contention_law().launch_ms; then an input of the graph leaves its device
/// (input_device) for the others that read it; an operator takes switch_ms or, with several
/// kernels, chain_switch_ms longer, and remote_ms if it reads from, or is read by, another device; a barrier stage as
/// much as its longest group. The makespan includes
/// further_devices_ms.
/// Barrier: core/cost/evaluate.hpp (which has inputs of the graph everywhere), and transfers wait for each other as
/// contention_law().transfer_latency_ms says. Dataflow: an operator starts when its stream is free, what it reads on
/// its device is there (dependency_ms later if from another stream) and what it reads from other devices has arrived.
/// Operators that run on a device at the same time slow each other down as cost.contention_law() says, on
/// operator_ms and utilisation, except during the first start_ms of each. A merge runs as one operator. An output goes
/// to a device once, when it exists, one after another on each link, and through ports as in barrier mode.
Simulation simulate(CostModel& cost, const Schedule& schedule);

/// The makespan of simulate(), ms, for a schedule that is known to be valid: for searches. `cost`: of the scheduled
/// graph.
double simulated_ms(Latencies& cost, const ContentionLaw& law, const Schedule& schedule);
double simulated_ms(const PreparedSchedule& prepared, const ContentionLaw& law);

}  // namespace opsched

// A schedule executed by several processes, each its own devices.
#pragma once

#include <functional>
#include <memory>

#include "core/processes/orders.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {

/// The executor of process 0; the others serve meanwhile (part_handlers). The request's `process_of` maps devices to
/// processes, as spread_devices() returns it. measure() notes the number of processes and the cost of closing a round,
/// which is part of its latencies. All arguments must outlive the executor. Throws Error as lower() does, and if a
/// process cannot prepare its part; all processes then go on.
std::unique_ptr<Executor> make_distributed_executor(ProcessGroup& processes, PartRuntime& runtime, PartRequest request);

/// Handlers with which the other processes serve it. `runtime_of` returns the runtime for a request, and must live as
/// long as the handlers.
OrderHandlers part_handlers(ProcessGroup& processes, const std::function<PartRuntime&(const PartRequest&)>& runtime_of);

}  // namespace opsched

// A schedule executed by several processes, each its own devices.
#pragma once

#include <functional>
#include <memory>

#include "core/processes/orders.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {

/// Process 0's, while the others serve (part_handlers). `process_of` of the request: of each device, as
/// spread_devices() says. measure() notes the number of processes and what closing a round costs, which is part of its
/// latencies. All must outlive it. Throws Error as lower() does, and where a process cannot make its part ready; then
/// all go on.
std::unique_ptr<Executor> make_distributed_executor(ProcessGroup& processes, PartRuntime& runtime, PartRequest request);

/// What the other processes do for it. `runtime_of`: of a request; must live as long as the handlers.
OrderHandlers part_handlers(ProcessGroup& processes, const std::function<PartRuntime&(const PartRequest&)>& runtime_of);

}  // namespace opsched

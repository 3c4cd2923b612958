#include "experiments/processes/worker.hpp"

#include "core/runtime/distributed/distributed_executor.hpp"
#include "experiments/device/gpu_processes.hpp"

namespace opsched {

void work(ProcessGroup& processes) {
  const std::unique_ptr<PartRuntime> cpu = make_cpu_parts(processes);
  const std::unique_ptr<GpuWorker> gpu = make_gpu_worker(processes);
  OrderHandlers handlers = gpu->handlers();
  handlers.merge(part_handlers(processes, [&](const PartRequest& request) -> PartRuntime& {
    return request.back_end == cpu->name() ? *cpu : gpu->runtime_of(request);
  }));
  follow_orders(processes, handlers);
}

}  // namespace opsched

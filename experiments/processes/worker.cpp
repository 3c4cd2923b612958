#include "experiments/processes/worker.hpp"

#include "core/runtime/distributed/distributed_executor.hpp"
#include "experiments/device/gpu_processes.hpp"
#include "experiments/processes/found_devices.hpp"
#include "experiments/processes/shared_cases.hpp"

namespace opsched {

void work(ProcessGroup& processes) {
  const std::unique_ptr<PartRuntime> cpu = make_cpu_parts(processes);
  const std::unique_ptr<GpuWorker> gpu = make_gpu_worker(processes);
  OrderHandlers handlers = gpu->handlers();
  handlers.merge(part_handlers(processes, [&](const PartRequest& request) -> PartRuntime& {
    return request.back_end == cpu->name() ? *cpu : gpu->runtime_of(request);
  }));
  handlers.merge(bench::share_handlers(processes, [&] { return gpu->gpus(); }));
  handlers.merge(found_devices_handlers(processes));
  follow_orders(processes, handlers);
}

}  // namespace opsched

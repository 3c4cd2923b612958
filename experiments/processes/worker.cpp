#include "experiments/processes/worker.hpp"

#include <map>

#include "core/error.hpp"
#include "core/runtime/distributed/distributed_executor.hpp"

namespace opsched {

void work(ProcessGroup& processes) {
  const std::unique_ptr<PartRuntime> cpu = make_cpu_parts(processes);
  const auto runtime_of = [&](const PartRequest& request) -> PartRuntime& {
    if (request.back_end == cpu->name()) return *cpu;
    throw Error("there is no back end '" + request.back_end + "' for parts of schedules");
  };
  follow_orders(processes, part_handlers(processes, runtime_of));
}

}  // namespace opsched

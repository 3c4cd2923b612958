#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

std::int64_t peak_bytes(const Executor& executor, int devices) {
  std::int64_t most = 0;
  for (int d = 0; d < devices; ++d) most = std::max(most, executor.activation_bytes(d));
  return most;
}

Timing time_schedule(Device& device, CostModel& costs, const Schedule& schedule, const records::Case& what,
                     const MeasureOptions& options) {
  const std::unique_ptr<Executor> executor = device.executor(costs, schedule, what.precision, 1);
  Timing timing{.latency = executor->measure(options),
                .peak_bytes = peak_bytes(*executor, static_cast<int>(schedule.devices.size())),
                .transfer_bytes = executor->transfer_bytes()};
  device.keep(costs, schedule, what, timing.latency);
  return timing;
}

bool has_gpu() { return why_no_gpu().empty(); }

std::unique_ptr<Device> open_device(const DeviceOptions& options) {
  if (options.kind == "gpu") return open_gpu(options);
  if (options.kind == "sim") return open_recorded(options);
  if (options.kind == "auto") {
    std::string no_gpu = why_no_gpu();
    if (no_gpu.empty()) return open_gpu(options);
    std::unique_ptr<Device> device = open_recorded(options);
    device->no_gpu = std::move(no_gpu);
    return device;
  }
  throw Error("unknown device '" + options.kind + "'; there are: auto, gpu, sim");
}

}  // namespace opsched

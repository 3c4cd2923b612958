#include <algorithm>

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

#ifndef OPSCHED_WITH_CUDA
bool has_gpu() { return false; }

std::unique_ptr<Device> open_gpu(const DeviceOptions&) {
  throw Error(
      "no GPU: this build has no CUDA runtime (no CUDA toolkit or cuDNN was found when it was configured); "
      "--device sim replays recorded measurements");
}
#endif

std::unique_ptr<Device> open_device(const DeviceOptions& options) {
  if (options.kind == "gpu") return open_gpu(options);
  if (options.kind == "sim") return open_recorded(options);
  if (options.kind == "auto") return has_gpu() ? open_gpu(options) : open_recorded(options);
  throw Error("unknown device '" + options.kind + "'; there are: auto, gpu, sim");
}

}  // namespace opsched

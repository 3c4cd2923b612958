#include <algorithm>

#include "core/error.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

std::int64_t peak_bytes(const Executor& executor, int devices) {
  std::int64_t most = 0;
  for (int d = 0; d < devices; ++d) most = std::max(most, executor.activation_bytes(d));
  return most;
}

Measurement time_schedule(Device& device, CostModel& costs, const Schedule& schedule, const records::Case& what) {
  const Measurement latency = device.executor(costs, schedule, what.precision, 1)->measure({});
  device.keep(costs, schedule, what, latency);
  return latency;
}

records::Run run_of(const DeviceFacts& device) {
  return {.device = device.name,
          .driver = device.driver,
          .cuda = device.cuda,
          .cudnn = device.cudnn,
          .kernels = device.kernels};
}

records::Run Device::run() const {
  records::Run run = run_of(facts());
  run.note = replayed();
  return run;
}

std::string Device::describe() const {
  const std::string where = run().where();
  return measures() ? "measured on " + where : replayed() + " (recorded on " + where + ")";
}

bool has_gpu() { return why_no_gpu().empty(); }

std::unique_ptr<Device> open_device(const DeviceOptions& options) {
  if (options.kind == "sim") return open_recorded(options);
  if (options.kind != "gpu" && options.kind != "auto")
    throw Error("unknown device '" + options.kind + "'; there are: auto, gpu, sim");
  const bool measures = options.kind == "gpu" || has_gpu();
  if (measures && options.topology != Topology()) throw Error("--hosts only works with replays (--device sim)");
  if (measures) {
    DeviceOptions measured = options;
    // Transfers through host memory are slower, so they need a profile of their own, given by name.
    if (measured.profile.empty() && !options.through_host) measured.profile = options.results;
    return open_gpu(measured);
  }
  std::unique_ptr<Device> device = open_recorded(options);
  device->no_gpu = why_no_gpu();
  return device;
}

}  // namespace opsched

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
                .peak_bytes = peak_bytes(*executor, static_cast<int>(schedule.devices.size()))};
  device.keep(costs, schedule, what, timing.latency);
  return timing;
}

records::Run run_of(const DeviceFacts& device, const std::string& command) {
  return {.device = device.name,
          .driver = device.driver,
          .cuda = device.cuda,
          .cudnn = device.cudnn,
          .kernels = device.kernels,
          .command = command};
}

records::Run Device::run(const std::string& command) const {
  records::Run run = run_of(facts(), command);
  run.note = replayed();
  return run;
}

std::string Device::describe() const {
  const std::string where = run("").where();
  return measures() ? "measured on " + where : replayed() + " (recorded on " + where + ")";
}

bool has_gpu() { return why_no_gpu().empty(); }

std::unique_ptr<Device> open_device(const DeviceOptions& options) {
  if (options.kind == "sim") return open_recorded(options);
  if (options.kind != "gpu" && options.kind != "auto")
    throw Error("unknown device '" + options.kind + "'; there are: auto, gpu, sim");
  if (options.kind == "gpu" || has_gpu()) {
    DeviceOptions measured = options;
    // By way of host memory transfers take longer: a profile of their own must be named.
    if (measured.profile.empty() && !options.through_host) measured.profile = options.results;
    return open_gpu(measured);
  }
  std::unique_ptr<Device> device = open_recorded(options);
  device->no_gpu = why_no_gpu();
  return device;
}

}  // namespace opsched

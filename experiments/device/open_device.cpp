#include "core/error.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

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

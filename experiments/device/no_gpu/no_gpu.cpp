// Stands in for device/gpu in builds without CUDA.
#include "core/error.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

std::string why_no_gpu() {
  return "this build has no CUDA runtime (it was configured without a CUDA toolkit, cuDNN or a GPU)";
}

std::unique_ptr<Device> open_gpu(const DeviceOptions&) {
  throw Error("no GPU: " + why_no_gpu() + "; --device sim replays recorded measurements");
}

}  // namespace opsched

// Replaces device/gpu in builds without CUDA.
#include "core/error.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/gpu_processes.hpp"

namespace opsched {

std::string why_no_gpu() {
  return "this build has no CUDA runtime (it was configured without a CUDA toolkit, cuDNN or a GPU)";
}

std::vector<std::string> gpu_names() { return {}; }

std::unique_ptr<Device> open_gpu(const DeviceOptions&) {
  throw Error("no GPU: " + why_no_gpu() + "; --device sim replays recorded measurements");
}

namespace {

class NoGpuWorker final : public GpuWorker {
 public:
  OrderHandlers handlers() override { return {}; }
  std::vector<int> gpus() const override { return {}; }
  PartRuntime& runtime_of(const PartRequest& request) override {
    throw Error("there is no back end '" + request.back_end + "' for parts of schedules: " + why_no_gpu());
  }
};

}  // namespace

SharedGpus share_gpus(ProcessGroup&) { throw Error("no GPU: " + why_no_gpu()); }

std::unique_ptr<GpuWorker> make_gpu_worker(ProcessGroup&) { return std::make_unique<NoGpuWorker>(); }

}  // namespace opsched

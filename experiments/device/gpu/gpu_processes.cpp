#include "experiments/device/gpu_processes.hpp"

#include <map>

#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "experiments/device/gpu/kernel_cache.hpp"
#include "experiments/device/host_name.hpp"

namespace opsched {
namespace {

const char* const kGpus = "gpus";  // order

SharedGpus share_here(ProcessGroup& processes) {
  const CudaDevices found = cuda_devices();
  SeenGpus seen{.host = host_name(), .reason = found.reason};
  for (const CudaDevice& gpu : found.usable) seen.ids.push_back(gpu.uuid);
  return agree_on_gpus(processes, seen);
}

class CudaWorker final : public GpuWorker {
 public:
  explicit CudaWorker(ProcessGroup& processes) : processes_(processes) {}

  OrderHandlers handlers() override {
    return {{kGpus, [this](const std::string&) { own_ = share_here(processes_).own; }}};
  }

  std::vector<int> gpus() const override { return own_; }

  PartRuntime& runtime_of(const PartRequest& request) override {
    Context& context = contexts_[request.precision];
    if (!context.parts) {
      const CudaDevices found = cuda_devices();
      if (own_.empty()) throw Error("no GPU: " + found.reason);
      CudaOptions options;
      options.precision = request.precision;
      options.device_ids = own_;
      options.cache_file =
          kernel_cache_file(found.usable.at(static_cast<std::size_t>(own_.front())).name, request.precision);
      context.runtime = std::make_unique<CudaRuntime>(options);
      context.parts = context.runtime->make_parts(processes_);
    }
    return *context.parts;
  }

 private:
  struct Context {
    std::unique_ptr<CudaRuntime> runtime;
    std::unique_ptr<PartRuntime> parts;
  };

  ProcessGroup& processes_;
  std::vector<int> own_;
  std::map<Precision, Context> contexts_;
};

}  // namespace

SharedGpus share_gpus(ProcessGroup& processes) {
  give_order(processes, kGpus);
  return share_here(processes);
}

std::unique_ptr<GpuWorker> make_gpu_worker(ProcessGroup& processes) { return std::make_unique<CudaWorker>(processes); }

}  // namespace opsched

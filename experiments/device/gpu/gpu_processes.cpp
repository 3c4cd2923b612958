#include "experiments/device/gpu_processes.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "experiments/device/gpu/kernel_cache.hpp"
#include "experiments/device/host_name.hpp"

namespace opsched {
namespace {

using nlohmann::json;

const char* const kGpus = "gpus";  // order

/// What a process sees: equal texts mean the same GPUs.
std::string sight(const CudaDevices& found) {
  json ids = json::array();
  for (const CudaDevice& gpu : found.usable) ids.push_back(gpu.uuid);
  return json{{"host", host_name()}, {"gpus", ids}, {"reason", found.reason}}.dump();
}

/// GPUs of each process, of those that it sees.
std::vector<std::vector<int>> shares(const std::vector<std::string>& sights) {
  std::map<std::string, int> count, next;
  for (const std::string& text : sights) ++count[text];
  std::vector<std::vector<int>> all;
  for (std::size_t rank = 0; rank < sights.size(); ++rank) {
    const json seen = json::parse(sights[rank]);
    const int gpus = static_cast<int>(seen.at("gpus").size()), processes = count[sights[rank]];
    const int index = next[sights[rank]]++;
    std::vector<int>& own = all.emplace_back();
    for (int gpu = gpus * index / processes; gpu < gpus * (index + 1) / processes; ++gpu) own.push_back(gpu);
    if (own.empty())
      throw Error("rank " + std::to_string(rank) + " has no GPU: host '" + seen.at("host").get<std::string>() +
                  "' has " + std::to_string(gpus) + " for " + std::to_string(processes) + " processes" +
                  (gpus == 0 ? " (" + seen.at("reason").get<std::string>() + ")" : ""));
  }
  return all;
}

/// All processes call it.
SharedGpus agree_on_gpus(ProcessGroup& processes) {
  const std::vector<std::string> sights = processes.gather(sight(cuda_devices()));
  const std::vector<std::vector<int>> all =
      json::parse(processes.broadcast(processes.leads() ? json(shares(sights)).dump() : std::string()));
  SharedGpus shared{.own = all.at(static_cast<std::size_t>(processes.rank()))};
  for (const std::string& text : sights) shared.host_of.push_back(json::parse(text).at("host"));
  for (const std::vector<int>& gpus : all) shared.total += static_cast<int>(gpus.size());
  return shared;
}

class CudaWorker final : public GpuWorker {
 public:
  explicit CudaWorker(ProcessGroup& processes) : processes_(processes) {}

  OrderHandlers handlers() override {
    return {{kGpus, [this](const std::string&) { own_ = agree_on_gpus(processes_).own; }}};
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
  return agree_on_gpus(processes);
}

std::unique_ptr<GpuWorker> make_gpu_worker(ProcessGroup& processes) { return std::make_unique<CudaWorker>(processes); }

}  // namespace opsched

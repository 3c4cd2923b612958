#include "core/runtime/cuda/profiling/cupti_replay.hpp"

#include <cuda_occupancy.h>
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/profiling/cupti_api.hpp"

namespace opsched {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::array kKinds = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                               CUPTI_ACTIVITY_KIND_MEMCPY2, CUPTI_ACTIVITY_KIND_MEMSET};

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 && text ? text.get() : name;
}

/// Resources that a kernel's blocks need.
struct Needs {
  int registers = 0, static_shared = 0, dynamic_shared = 0;
};

/// Resident blocks per multiprocessor, by NVIDIA's occupancy calculator; 0: unknown.
int blocks_per_sm(const cudaDeviceProp& device, const Needs& needs, int threads) {
  const cudaOccDeviceProp properties(device);
  const auto dynamic = static_cast<std::size_t>(needs.dynamic_shared);
  cudaOccFuncAttributes function;
  function.maxThreadsPerBlock = device.maxThreadsPerBlock;
  function.numRegs = needs.registers;
  function.sharedSizeBytes = static_cast<std::size_t>(needs.static_shared);
  function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  function.maxDynamicSharedSizeBytes = dynamic;
  const cudaOccDeviceState state;
  cudaOccResult result;
  const cudaOccError status =
      cudaOccMaxActiveBlocksPerMultiprocessor(&result, &properties, &function, &state, threads, dynamic);
  return status == CUDA_OCC_SUCCESS ? result.activeBlocksPerMultiprocessor : 0;
}

/// A record of a launch; `correlation` identifies the launch.
struct Found {
  StepActivity activity;
  Needs needs;
  std::uint64_t node = 0;
  std::uint32_t correlation = 0;
};

double to_ms(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-6; }

/// Collects CUPTI's records. Its activity callbacks take no user argument and run on CUPTI's own threads, so the active
/// collector is a process-wide pointer.
class Collector {
 public:
  void start() {
    const std::lock_guard lock(mutex_);
    found_.clear();
    problem_.clear();
  }
  std::vector<Found> take() {
    const std::lock_guard lock(mutex_);
    if (!problem_.empty()) throw Error("CUPTI: " + problem_);
    return std::exchange(found_, {});
  }

  /// Callbacks of the activity API.
  static void CUPTIAPI request(std::uint8_t** buffer, std::size_t* size, std::size_t* records);
  static void CUPTIAPI complete(CUcontext context, std::uint32_t stream, std::uint8_t* buffer, std::size_t size,
                                std::size_t valid);
  static std::atomic<Collector*> current;

 private:
  void read(const CUpti_Activity* record);
  /// Times are relative to the first record: nanoseconds since 1970 lose precision in a double.
  template <class Record>
  Found timed(const Record& record) {
    if (record.start == 0 || record.end == 0) problem_ = "a record has no times";
    if (zero_ == 0) zero_ = record.start;
    const auto since = [&](std::uint64_t time) { return time >= zero_ ? to_ms(time - zero_) : -to_ms(zero_ - time); };
    Found found;
    found.activity.device = static_cast<int>(record.deviceId);
    found.activity.start = since(record.start);
    found.activity.end = since(record.end);
    found.node = record.graphNodeId;
    found.correlation = record.correlationId;
    return found;
  }

  std::mutex mutex_;
  std::uint64_t zero_ = 0;
  std::vector<Found> found_;
  std::string problem_;
};

std::atomic<Collector*> Collector::current = nullptr;

void Collector::request(std::uint8_t** buffer, std::size_t* size, std::size_t* records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(4096, kBufferBytes));
  *size = *buffer ? kBufferBytes : 0;
  *records = 0;
}

void Collector::complete(CUcontext context, std::uint32_t stream, std::uint8_t* buffer, std::size_t,
                         std::size_t valid) {
  if (Collector* self = current.load()) {
    const std::lock_guard lock(self->mutex_);
    const CuptiApi& api = cupti_api();
    CUpti_Activity* record = nullptr;
    while (valid > 0 && api.cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) self->read(record);
    std::size_t dropped = 0;
    if (api.cuptiActivityGetNumDroppedRecords(context, stream, &dropped) == CUPTI_SUCCESS && dropped > 0)
      self->problem_ = std::to_string(dropped) + " records were lost";
  }
  std::free(buffer);
}

void Collector::read(const CUpti_Activity* record) {
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
      const auto& kernel = *reinterpret_cast<const CUpti_ActivityKernel9*>(record);
      Found found = timed(kernel);
      found.activity.kernel = demangled(kernel.name ? kernel.name : "kernel");
      found.activity.blocks = std::int64_t{kernel.gridX} * kernel.gridY * kernel.gridZ;
      found.activity.threads = kernel.blockX * kernel.blockY * kernel.blockZ;
      found.needs = {kernel.registersPerThread, kernel.staticSharedMemory, kernel.dynamicSharedMemory};
      found_.push_back(std::move(found));
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      found_.push_back(timed(*reinterpret_cast<const CUpti_ActivityMemcpy5*>(record)));
      found_.back().activity.kernel = "copy";
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
      found_.push_back(timed(*reinterpret_cast<const CUpti_ActivityMemcpyPtoP4*>(record)));
      found_.back().activity.kernel = "copy between GPUs";
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      found_.push_back(timed(*reinterpret_cast<const CUpti_ActivityMemset4*>(record)));
      found_.back().activity.kernel = "memset";
      break;
    default:
      break;
  }
}

/// The records of the complete launch with the median length.
std::vector<Found> median_launch(std::vector<Found> records) {
  std::map<std::uint32_t, std::vector<Found>> launches;
  for (Found& f : records)
    if (f.node != 0) launches[f.correlation].push_back(std::move(f));
  std::size_t most = 0;
  for (const auto& [id, list] : launches) most = std::max(most, list.size());
  std::vector<std::pair<double, std::vector<Found>*>> complete;
  for (auto& [id, list] : launches) {
    if (list.size() < most) continue;
    double begin = list.front().activity.start, end = list.front().activity.end;
    for (const Found& f : list) {
      begin = std::min(begin, f.activity.start);
      end = std::max(end, f.activity.end);
    }
    complete.emplace_back(end - begin, &list);
  }
  if (complete.empty()) throw Error("CUPTI reported no kernel of the CUDA graph: is another profiler attached?");
  const auto middle = complete.begin() + static_cast<std::ptrdiff_t>(complete.size() / 2);
  std::ranges::nth_element(complete, middle, {}, [](const auto& launch) { return launch.first; });
  return std::move(*middle->second);
}

}  // namespace

struct ReplayTracer::Impl {
  Collector collector;
  CUpti_SubscriberHandle subscriber{};
  std::unordered_map<std::uint64_t, std::uint64_t> original_of;  ///< instantiating clones nodes: original by clone

  static void CUPTIAPI callback(void* user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
    if (domain != CUPTI_CB_DOMAIN_RESOURCE || id != CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED) return;
    const auto* resource = static_cast<const CUpti_ResourceData*>(data);
    const auto* graph = static_cast<const CUpti_GraphData*>(resource->resourceDescriptor);
    const CuptiApi& api = cupti_api();
    std::uint64_t clone = 0, original = 0;
    if (api.cuptiGetGraphNodeId(graph->node, &clone) == CUPTI_SUCCESS &&
        api.cuptiGetGraphNodeId(graph->originalNode, &original) == CUPTI_SUCCESS)
      static_cast<Impl*>(user)->original_of[clone] = original;
  }
};

ReplayTracer::ReplayTracer() : impl_(std::make_unique<Impl>()) {
  Collector* none = nullptr;
  if (!Collector::current.compare_exchange_strong(none, &impl_->collector))
    throw Error("only one replay can be traced at a time");
  try {
    OPSCHED_CUPTI(cuptiSubscribe(&impl_->subscriber, &Impl::callback, impl_.get()));
  } catch (...) {
    Collector::current = nullptr;
    throw;
  }
  try {
    OPSCHED_CUPTI(
        cuptiEnableCallback(1, impl_->subscriber, CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED));
    OPSCHED_CUPTI(cuptiActivityRegisterCallbacks(&Collector::request, &Collector::complete));
    for (CUpti_ActivityKind kind : kKinds) OPSCHED_CUPTI(cuptiActivityEnable(kind));
  } catch (...) {
    stop();
    throw;
  }
}

ReplayTracer::~ReplayTracer() { stop(); }

void ReplayTracer::stop() {
  const CuptiApi& api = cupti_api();
  for (CUpti_ActivityKind kind : kKinds) api.cuptiActivityDisable(kind);
  api.cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  api.cuptiUnsubscribe(impl_->subscriber);
  Collector::current = nullptr;
}

std::vector<StepActivity> ReplayTracer::record(const CudaGraph& graph, const StepNodes& nodes, cudaStream_t stream,
                                               int replays, unsigned long long flags) {
  const GraphExec exec = instantiate(graph, flags);
  std::unordered_map<std::uint64_t, int> step_of;
  for (std::size_t step = 0; step < nodes.size(); ++step)
    for (cudaGraphNode_t node : nodes[step]) {
      std::uint64_t id = 0;
      OPSCHED_CUPTI(cuptiGetGraphNodeId(node, &id));
      step_of[id] = static_cast<int>(step);
    }
  const auto step_of_node = [&](std::uint64_t id) {
    if (const auto clone = impl_->original_of.find(id); clone != impl_->original_of.end()) id = clone->second;
    const auto it = step_of.find(id);
    return it == step_of.end() ? -1 : it->second;
  };

  constexpr int kWarmUp = 5;  // also covers what CUPTI prepares at the first launch
  for (int i = 0; i < kWarmUp; ++i) OPSCHED_CUDA(cudaGraphLaunch(exec.get(), stream));
  OPSCHED_CUDA(cudaStreamSynchronize(stream));
  OPSCHED_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
  impl_->collector.start();
  for (int i = 0; i < replays; ++i) {
    OPSCHED_CUDA(cudaGraphLaunch(exec.get(), stream));
    OPSCHED_CUDA(cudaStreamSynchronize(stream));
  }
  OPSCHED_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));

  std::vector<StepActivity> activities;
  std::map<int, cudaDeviceProp> devices;
  bool known = false;
  for (Found& f : median_launch(impl_->collector.take())) {
    const auto [device, first] = devices.try_emplace(f.activity.device);
    if (first) OPSCHED_CUDA(cudaGetDeviceProperties(&device->second, f.activity.device));
    if (f.activity.threads > 0) f.activity.blocks_per_sm = blocks_per_sm(device->second, f.needs, f.activity.threads);
    f.activity.step = step_of_node(f.node);
    known = known || f.activity.step >= 0;
    activities.push_back(std::move(f.activity));
  }
  if (!known)
    throw Error("CUPTI reported " + std::to_string(activities.size()) +
                " kernels and copies, but none of a known graph node: this version of CUPTI numbers them otherwise");
  return activities;
}

}  // namespace opsched

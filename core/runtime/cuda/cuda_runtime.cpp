#include "core/runtime/cuda/cuda_runtime.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/graph/early_relu.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/cuda/library/tuning_cache.hpp"
#ifdef OPSCHED_WITH_CUPTI
#include "core/runtime/cuda/profiling/cupti_counters.hpp"
#include "core/runtime/cuda/profiling/cupti_replay.hpp"
#endif
#include "core/runtime/cuda/device/nvtx_range.hpp"
#include "core/runtime/cuda/device/peer_access.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/graph/graph_inference.hpp"
#include "core/runtime/cuda/graph/weight_store.hpp"
#include "core/runtime/cuda/measure/co_run_tuner.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"
#include "core/runtime/cuda/measure/measured_cost.hpp"
#include "core/runtime/cuda/measure/protocol_sampler.hpp"
#include "core/runtime/cuda/measure/transfer_timer.hpp"
#include "core/runtime/cuda/nccl/cuda_parts.hpp"
#include "core/runtime/program/gpu_lowering.hpp"

namespace opsched {
namespace {

class CudaExecutor final : public Executor {
 public:
  CudaExecutor(const Graph& graph, const Schedule& schedule, Precision precision, Waits waits,
               std::span<DeviceContext* const> devices, const CopyRoute& route, std::shared_ptr<WeightStore> weights,
               std::string note, const std::function<void(const std::string&)>& progress)
      : graph_(graph),
        schedule_(schedule),
        precision_(precision),
        label_(graph.name() + "/" + schedule.scheduler + "/batch:" + std::to_string(graph.batch())),
        weights_(std::move(weights)),
        devices_(devices.begin(), devices.end()),
        note_(std::move(note)),
        waits_(waits),
        route_(route),
        captured_(capture(progress)),
        timer_(captured_.exec(), captured_.stream(), &devices_.front()->clocks()) {}

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    const Program& program = captured_.program();
    if (inputs.size() != program.inputs.size())
      throw Error("the graph has " + std::to_string(program.inputs.size()) + " inputs, not " +
                  std::to_string(inputs.size()));
    captured_.poison();
    for (std::size_t i = 0; i < inputs.size(); ++i) captured_.upload(program.inputs[i], inputs[i]);
    devices_.front()->activate();
    const NvtxRange range("run " + label_);
    OPSCHED_CUDA(cudaDeviceSynchronize());  // copies from pageable memory may return before they have landed
    OPSCHED_CUDA(cudaGraphLaunch(captured_.exec(), captured_.stream()));
    OPSCHED_CUDA(cudaStreamSynchronize(captured_.stream()));
    std::vector<Tensor> outputs;
    for (const View& view : program.outputs) outputs.push_back(captured_.download(view));
    return outputs;
  }

  Measurement measure(const MeasureOptions& options) override {
    feed();
    const NvtxRange range("measure " + label_);
    Measurement result = timer_.measure(options);
    seen_ = timer_.clocks();
    result.note = note_;
    return result;
  }

  std::vector<double> sample(int count) override {
    feed();
    const NvtxRange range("sample " + label_);
    std::vector<double> ms = timer_.sample(count);
    seen_ = timer_.clocks();
    return ms;
  }

  std::vector<double> sample_by(const Protocol& protocol) override {
    feed();
    const NvtxRange range(protocol.name() + " " + label_);
    timer_.sample(1);  // a warm-up
    std::vector<double> samples =
        sample_protocol(protocol, {.program = captured_,
                                   .devices = devices_,
                                   .burst = [this](int count) { return timer_.sample(count); },
                                   .another =
                                       [this] {
                                         auto program = std::make_unique<CapturedProgram>(capture({}));
                                         feed(*program);
                                         return program;
                                       }});
    seen_ = devices_.front()->clocks().clocks();
    return samples;
  }

  Clocks clocks() const override { return seen_; }

  std::vector<KernelChoice> kernels() const override { return captured_.kernels(); }

  Trace trace() override {
#ifdef OPSCHED_WITH_CUPTI
    constexpr int kReplays = 21;
    feed();
    const NvtxRange range("trace " + label_);
    ReplayTracer tracer;
    StepNodes nodes;
    const CudaGraph graph = captured_.capture(nodes);
    std::vector<StepActivity> activities =
        tracer.record(graph, nodes, captured_.stream(), kReplays, captured_.instantiate_flags());
    for (StepActivity& a : activities)
      if (a.step < 0) a.device = device_of(a.device);
    Trace trace =
        program_trace(graph_, schedule_, captured_.program(), static_cast<int>(element_bytes(precision_)), activities);
    cudaDeviceProp gpu{};
    OPSCHED_CUDA(cudaGetDeviceProperties(&gpu, devices_.front()->gpu()));
    trace.multiprocessors = gpu.multiProcessorCount;
    trace.max_warps_per_sm = gpu.maxThreadsPerMultiProcessor / gpu.warpSize;
    trace.source = "measured on " + note_ + " by CUPTI, the median of " + std::to_string(kReplays) + " replays";
    return trace;
#else
    throw Error(
        "this build cannot trace on a GPU: no CUPTI was found when it was configured. Install the CUDA toolkit's CUPTI "
        "and configure again, or simulate: --device sim");
#endif
  }

  Preparation preparation() override {
    constexpr int kTimes = 5;
    return captured_.prepare_again(kTimes);
  }

  std::vector<WarpSample> count_warps() override {
#ifdef OPSCHED_WITH_CUPTI
    feed();
    const auto replay = [this](int times) {
      for (int i = 0; i < times; ++i) OPSCHED_CUDA(cudaGraphLaunch(captured_.exec(), captured_.stream()));
      OPSCHED_CUDA(cudaStreamSynchronize(captured_.stream()));
    };
    replay(10);
    return opsched::count_warps(devices_.front()->gpu(), [&] { replay(1); });
#else
    throw Error(
        "this build cannot count warps: no CUPTI was found when it was configured. Install the CUDA toolkit's CUPTI "
        "and configure again");
#endif
  }

  std::int64_t activation_bytes(int device) const override { return captured_.program().arena_bytes.at(device); }
  std::int64_t transfer_bytes() const override {
    return opsched::transfer_bytes(captured_.program(), static_cast<int>(element_bytes(precision_)));
  }

 private:
  /// Uploads real data and lets the clocks rise. Zeros or poison would draw a different amount of power.
  void feed() {
    if (!fed_) {
      feed(captured_);
      devices_.front()->warm_up();
      fed_ = true;
    }
    devices_.front()->activate();
  }

  void feed(CapturedProgram& captured) const {
    captured.poison();
    const Program& program = captured.program();
    const std::vector<OpId> ids = graph_.inputs();
    for (std::size_t i = 0; i < program.inputs.size(); ++i)
      captured.upload(program.inputs[i], random_tensor(graph_.batch(), graph_.op(ids[i]).output, i + 1));
  }

  /// The schedule as a program that owns its memory.
  CapturedProgram capture(const std::function<void(const std::string&)>& progress) const {
    return CapturedProgram(
        lower(graph_, schedule_, lowering_for(precision_, waits_)), precision_, MemoryUse::own, devices_, route_,
        [this](const Step& step, const Kernel& kernel, DeviceContext& device) {
          return weights_->get(step, kernel, device);
        },
        progress);
  }

  /// Index in the schedule of the device that runs on this GPU.
  int device_of(int gpu) const {
    const auto it = std::ranges::find(devices_, gpu, &DeviceContext::gpu);
    return it == devices_.end() ? 0 : static_cast<int>(it - devices_.begin());
  }

  const Graph& graph_;
  Schedule schedule_;
  Precision precision_;
  std::string label_;
  std::shared_ptr<WeightStore> weights_;
  std::vector<DeviceContext*> devices_;
  std::string note_;
  Waits waits_;
  CopyRoute route_;
  CapturedProgram captured_;
  GraphTimer timer_;
  Clocks seen_;  ///< while the last samples were taken
  bool fed_ = false;
};

}  // namespace

struct CudaRuntime::Impl {
  CudaOptions options;
  CudaDevice device;
  std::vector<CudaDevice> present;
  std::vector<std::unique_ptr<DeviceContext>> contexts;  ///< by device of the schedule, created on first use
  std::string weights_of;
  std::shared_ptr<WeightStore> weights;
  CopyRoute route;
  std::set<std::string> said;

  int gpu_of(int device) const { return options.device_ids.empty() ? device : options.device_ids.at(device); }
  int available() const {
    return static_cast<int>(options.device_ids.empty() ? present.size() : options.device_ids.size());
  }
  /// Reports each line once, even if several GPUs report it.
  void say_once(const std::string& line) {
    if (said.insert(line).second && options.progress) options.progress(line);
  }
  /// The first `count` devices, with access to each other's memory unless `route` goes through the host.
  std::vector<DeviceContext*> connected(int count);
  /// Weights of the last graph and seed requested: schedules of one graph share them.
  const std::shared_ptr<WeightStore>& weights_for(const Graph& graph, std::uint64_t seed) {
    // Two models with the same structure have the same fingerprint. The weight table lives as long as its graph's
    // store. A graph with early ReLU has the fingerprint of the one without, but counts layers in another way.
    const auto table = reinterpret_cast<std::uintptr_t>(graph.weights().get());
    const bool moved = std::ranges::any_of(graph.units(), [&](OpId op) { return graph.op(op).relieved; });
    const std::string key =
        fingerprint(graph) + " " + std::to_string(seed) + " " + std::to_string(table) + (moved ? " early" : "");
    if (key != weights_of) {
      weights = std::make_shared<WeightStore>(graph, seed);
      weights_of = key;
    }
    return weights;
  }
  DeviceContext& context(int device) {
    while (static_cast<int>(contexts.size()) <= device)
      contexts.push_back(std::make_unique<DeviceContext>(gpu_of(static_cast<int>(contexts.size())), options.precision,
                                                         options.cache_file,
                                                         [this](const std::string& line) { say_once(line); }));
    return *contexts[device];
  }
};

std::vector<DeviceContext*> CudaRuntime::Impl::connected(int count) {
  if (count > available())
    throw Error(std::to_string(count) + " GPUs are needed, and " + std::to_string(available()) + " can be used");
  std::vector<DeviceContext*> devices;
  for (int d = 0; d < count; ++d) devices.push_back(&context(d));
  if (options.through_host) route.through_host = true;
  if (count < 2 || route.through_host) return devices;
  const std::string obstacle = connect_peers(devices);
  if (!obstacle.empty()) {
    route.through_host = true;
    if (options.progress) options.progress(obstacle + ": tensors travel by way of host memory");
  }
  return devices;
}

void CudaRuntime::measure_transfers(Profile& profile, int gpus) {
  const std::vector<DeviceContext*> devices = impl_->connected(gpus);
  impl_->route = opsched::measure_transfers(devices, impl_->route.through_host, profile);
}

CudaRuntime::CudaRuntime(const CudaOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  CudaDevices found = cuda_devices();
  if (found.usable.empty()) throw Error("no GPU: " + found.reason + "; run with --device sim or cpu instead");
  impl_->present = std::move(found.usable);
  for (int id : options.device_ids)
    if (id < 0 || id >= static_cast<int>(impl_->present.size()))
      throw Error("GPU " + std::to_string(id) + ": this host has " + std::to_string(impl_->present.size()) +
                  ", numbered from 0");
  impl_->device = impl_->present[impl_->gpu_of(0)];
}

CudaRuntime::~CudaRuntime() = default;

const CudaDevice& CudaRuntime::device() const { return impl_->device; }
Precision CudaRuntime::precision() const { return impl_->options.precision; }

std::unique_ptr<Executor> CudaRuntime::make_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed,
                                                     Waits waits) {
  const std::vector<DeviceContext*> devices = impl_->connected(static_cast<int>(schedule.devices.size()));
  const NvtxRange range("capture " + graph.name() + "/" + schedule.scheduler);
  return std::make_unique<CudaExecutor>(graph, schedule, impl_->options.precision, waits, devices, impl_->route,
                                        impl_->weights_for(graph, seed), impl_->device.name, impl_->options.progress);
}

std::unique_ptr<CudaInference> CudaRuntime::make_inference(const Graph& network, const Schedule& schedule,
                                                           std::uint64_t seed) {
  const std::shared_ptr<const Graph> early = with_early_relu(network);
  const Graph& graph = *early;
  const std::vector<DeviceContext*> devices = impl_->connected(static_cast<int>(schedule.devices.size()));
  const std::shared_ptr<WeightStore> weights = impl_->weights_for(graph, seed);
  const Precision precision = impl_->options.precision;
  const auto source = [&](const Step& step, const Kernel& kernel, DeviceContext& device) {
    return weights->get(step, kernel, device);
  };
  return make_graph_inference(
      graph,
      std::make_unique<CapturedProgram>(lower(graph, schedule, lowering_for(precision, Waits::needed)), precision,
                                        MemoryUse::own, devices, impl_->route, source, impl_->options.progress),
      weights);
}

std::unique_ptr<PartRuntime> CudaRuntime::make_parts(ProcessGroup& processes) {
  Impl* const impl = impl_.get();
  return make_cuda_parts(
      processes, {.precision = impl->options.precision,
                  .connect =
                      [impl](int count) {
                        std::vector<DeviceContext*> devices = impl->connected(count);
                        return ConnectedDevices{std::move(devices), impl->route};
                      },
                  .weights = [impl](const Graph& graph, std::uint64_t seed) { return impl->weights_for(graph, seed); },
                  .progress = impl->options.progress});
}

std::unique_ptr<CostModel> CudaRuntime::make_cost(const Graph& graph, Profile& profile, const ScheduleTimer& several) {
  const Connect connect = [impl = impl_.get()](int count) {
    std::vector<DeviceContext*> devices = impl->connected(count);
    return ConnectedDevices{std::move(devices), impl->route};
  };
  return make_measured_cost(graph, profile, connect, impl_->options.precision, several);
}

std::unique_ptr<CoRunTuner> CudaRuntime::make_co_run_tuner(std::vector<CoRunSchedule> members) {
  return std::make_unique<CudaCoRunTuner>(std::move(members), impl_->context(0), impl_->options.precision,
                                          impl_->options.progress);
}

int kernels_version() { return kKernelsVersion; }

std::string CudaRuntime::kernels_version_tag() const {
  const std::string refined = TuningCache(impl_->options.cache_file, impl_->device.name).refinement_tag();
  return std::to_string(kernels_version()) + (refined.empty() ? "" : " " + refined);
}

}  // namespace opsched

#include "core/runtime/cuda/nccl/cuda_parts.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"
#include "core/runtime/cuda/nccl/nccl_link.hpp"
#include "core/runtime/program/gpu_lowering.hpp"

namespace opsched {
namespace {

/// Waiting receives occupy multiprocessors (nccl_link.cpp), so there are few channels, although some messages then wait
/// for others.
constexpr int kMostChannels = 4;

class CudaPart final : public Executor {
 public:
  CudaPart(const PartRequest& request, const ProgramPart& part, ConnectedDevices connected,
           std::shared_ptr<WeightStore> weights, NcclLink& link,
           const std::function<void(const std::string&)>& progress)
      : batch_(request.graph.batch()),
        precision_(request.precision),
        weights_(std::move(weights)),
        devices_(std::move(connected.devices)),
        captured_(
            part.program, precision_, MemoryUse::own, devices_, connected.route,
            [this](const Step& step, const Kernel& kernel, DeviceContext& device) {
              return weights_->get(step, kernel, device);
            },
            progress, &link),
        link_(link),
        timer_(captured_.exec(), captured_.stream(), &devices_.front()->clocks(),
               {.close = [this] { link_.enqueue_barrier(captured_.stream()); },
                .wait_for = [this](cudaEvent_t event) { link_.wait_for(event); }}) {}

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    const Program& program = captured_.program();
    captured_.poison();
    for (std::size_t i = 0; i < inputs.size(); ++i) captured_.upload(program.inputs.at(i), inputs[i]);
    devices_.front()->activate();
    OPSCHED_CUDA(cudaDeviceSynchronize());  // copies from pageable memory may return before they have landed
    OPSCHED_CUDA(cudaGraphLaunch(captured_.exec(), captured_.stream()));
    const Event end = make_event(false);
    OPSCHED_CUDA(cudaEventRecord(end.get(), captured_.stream()));
    link_.wait_for(end.get());
    std::vector<Tensor> outputs;
    for (const View& view : program.outputs) outputs.push_back(captured_.download(view));
    return outputs;
  }

  std::vector<double> sample(int count) override {
    feed();
    return timer_.sample(count);
  }
  Measurement measure(const MeasureOptions&) override {
    throw Error("how often a part is sampled is for process 0 to say");
  }

  Clocks clocks() const override { return timer_.clocks(); }
  std::vector<KernelChoice> kernels() const override { return captured_.kernels(); }
  std::int64_t activation_bytes(int device) const override { return captured_.program().arena_bytes.at(device); }
  std::int64_t transfer_bytes() const override {
    return opsched::transfer_bytes(captured_.program(), element_bytes(precision_));
  }

 private:
  /// Uploads real data and lets the clocks rise.
  void feed() {
    if (!std::exchange(fed_, true)) {
      captured_.poison();
      const Program& program = captured_.program();
      for (std::size_t i = 0; i < program.inputs.size(); ++i)
        captured_.upload(program.inputs[i], random_tensor(batch_, shape_of(program, program.inputs[i]),
                                                          static_cast<std::uint64_t>(i) + 1));
      for (DeviceContext* device : devices_) device->warm_up();
    }
    devices_.front()->activate();
  }

  int batch_;
  Precision precision_;
  std::shared_ptr<WeightStore> weights_;
  std::vector<DeviceContext*> devices_;
  CapturedProgram captured_;
  NcclLink& link_;
  GraphTimer timer_;
  bool fed_ = false;
};

class CudaParts final : public PartRuntime {
 public:
  CudaParts(ProcessGroup& processes, CudaPartsSource source) : processes_(processes), source_(std::move(source)) {}

  std::string name() const override { return "gpu"; }
  LoweringOptions lowering(const PartRequest& request) const override {
    return lowering_for(source_.precision, request.waits);
  }
  int most_channels() const override { return kMostChannels; }

  void require(const ProgramPart& part) override {
    if (part.devices.empty()) throw Error("a process of a schedule on GPUs needs a device of it");
    source_.connect(static_cast<int>(part.devices.size()));
  }

  std::unique_ptr<Executor> make(const PartRequest& request, const ProgramPart& part) override {
    ConnectedDevices connected = source_.connect(static_cast<int>(part.devices.size()));
    if (!link_) link_.emplace(processes_, *connected.devices.front());
    link_->open(part, connected.devices);
    return std::make_unique<CudaPart>(request, part, std::move(connected), source_.weights(request.graph, request.seed),
                                      *link_, source_.progress);
  }

 private:
  ProcessGroup& processes_;
  CudaPartsSource source_;
  std::optional<NcclLink> link_;
};

}  // namespace

std::unique_ptr<PartRuntime> make_cuda_parts(ProcessGroup& processes, CudaPartsSource source) {
  return std::make_unique<CudaParts>(processes, std::move(source));
}

}  // namespace opsched

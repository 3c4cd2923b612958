#include "core/runtime/cuda/graph/captured_program.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/graph/transfer_copies.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

constexpr std::size_t kAlignment = 256;  // of the arena and of workspaces, bytes

/// Collects the nodes that a capture adds to its graph, call by call. A launch may add any number of nodes, and CUDA
/// promises no order, so take() looks through all of them.
class NewNodes {
 public:
  /// Nodes added since the last call.
  std::vector<cudaGraphNode_t> take(cudaStream_t stream) {
    cudaStreamCaptureStatus status{};
    unsigned long long id = 0;
    cudaGraph_t graph = nullptr;
    OPSCHED_CUDA(cudaStreamGetCaptureInfo(stream, &status, &id, &graph));
    std::size_t count = 0;
    OPSCHED_CUDA(cudaGraphGetNodes(graph, nullptr, &count));
    std::vector<cudaGraphNode_t> nodes(count);
    OPSCHED_CUDA(cudaGraphGetNodes(graph, nodes.data(), &count));
    std::erase_if(nodes, [&](cudaGraphNode_t node) { return !known_.insert(node).second; });
    return nodes;
  }

 private:
  std::unordered_set<cudaGraphNode_t> known_;
};

/// Sets the priority of kernel nodes on the current device; other nodes have none.
void set_priority(const std::vector<cudaGraphNode_t>& nodes, int level) {
  int least = 0, greatest = 0;  // smaller numbers mean higher priority
  OPSCHED_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  for (cudaGraphNode_t node : nodes) {
    cudaGraphNodeType type{};
    OPSCHED_CUDA(cudaGraphNodeGetType(node, &type));
    if (type != cudaGraphNodeTypeKernel) continue;
    cudaLaunchAttributeValue value{};
    value.priority = std::max(greatest, least - level);
    OPSCHED_CUDA(cudaGraphKernelNodeSetAttribute(node, cudaLaunchAttributePriority, &value));
  }
}

}  // namespace

CapturedProgram::CapturedProgram(Program program, Precision precision, MemoryUse memory,
                                 std::span<DeviceContext* const> devices, const CopyRoute& route,
                                 const WeightSource& weights, const std::function<void(const std::string&)>& progress,
                                 MessageLink* link)
    : program_(std::move(program)),
      precision_(precision),
      devices_(devices.begin(), devices.end()),
      route_(route),
      link_(link) {
  prepare(weights, progress);
  place(memory);
  for (std::size_t i = 0; route_.through_host && i < prepared_.size(); ++i)
    if (program_.steps[i].kind == Step::Kind::transfer) {
      std::size_t bytes = 0;
      for (const PeerCopy& copy : copies_of(program_.steps[i])) bytes += copy.bytes();
      prepared_[i].staging = HostBuffer(bytes);
    }
  origin_ = devices_.front()->stream(0);
  exec_ = instantiate(capture(nullptr), instantiate_flags());
  OPSCHED_CUDA(cudaGraphUpload(exec_.get(), origin_));
}

void CapturedProgram::prepare(const WeightSource& weights, const std::function<void(const std::string&)>& progress) {
  const TensorFormat layout = preferred_format(precision_);
  std::vector<std::vector<Problem>> problems(devices_.size());
  for (const Step& step : program_.steps)
    if (!moves_only(step.kind)) problems[step.device].push_back(make_problem(program_, step, precision_, layout));
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    devices_[d]->kernels().prepare(problems[d], progress);
  }
  for (const Step& step : program_.steps) {
    Prepared& p = prepared_.emplace_back();
    if (moves_only(step.kind)) continue;
    DeviceContext& device = *devices_[step.device];
    device.activate();
    p.kernel = device.kernels().get(make_problem(program_, step, precision_, layout));
    if (!step.weights.empty()) p.weights = weights(step, *p.kernel, device);
  }
}

/// A message with a non-dense view goes through a workspace.
std::size_t CapturedProgram::workspace_bytes(std::size_t i) const {
  const Step& step = program_.steps[i];
  if (prepared_[i].kernel) return prepared_[i].kernel->workspace_bytes();
  if (step.kind != Step::Kind::send && step.kind != Step::Kind::receive) return 0;
  const View& view = step.kind == Step::Kind::send ? step.inputs.front() : step.output;
  return is_dense(program_, view, precision_) ? 0 : message_bytes(program_, view, precision_);
}

void CapturedProgram::place(MemoryUse memory) {
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    // Kernels on one stream run one after another, so they share a workspace.
    std::vector<std::size_t> sizes(static_cast<std::size_t>(program_.streams[d]), 0);
    for (std::size_t i = 0; i < prepared_.size(); ++i) {
      const Step& step = program_.steps[i];
      if (step.device == static_cast<int>(d)) sizes[step.stream] = std::max(sizes[step.stream], workspace_bytes(i));
    }
    std::size_t total = round_up(static_cast<std::size_t>(program_.arena_bytes[d]), kAlignment);
    std::vector<std::size_t> offsets;
    for (std::size_t size : sizes) {
      offsets.push_back(total);
      total += round_up(size, kAlignment);
    }
    devices_[d]->activate();
    char* base = nullptr;
    if (memory == MemoryUse::scratch) {
      base = static_cast<char*>(devices_[d]->scratch(total));
    } else {
      std::size_t free = 0, present = 0;
      OPSCHED_CUDA(cudaMemGetInfo(&free, &present));
      if (total > free)
        throw Error("GPU " + std::to_string(devices_[d]->gpu()) + " has too little memory: the schedule needs " +
                    std::to_string(total >> 20) + " MiB for activations and workspaces, " + std::to_string(free >> 20) +
                    " MiB are free; use a smaller batch or image");
      base = reinterpret_cast<char*>(owned_.emplace_back(total).data());
    }
    arenas_.push_back(base);
    std::vector<char*>& workspaces = workspaces_.emplace_back();
    for (std::size_t offset : offsets) workspaces.push_back(base + offset);
  }
}

char* CapturedProgram::address(const View& view) const {
  const Buffer& buffer = program_.buffers[view.buffer];
  return arenas_[buffer.device] + buffer.offset +
         slice_offset(buffer.shape, view.channel, preferred_format(precision_), element_bytes(precision_), view.region);
}

void CapturedProgram::enqueue(const Step& step, const Prepared& prepared, cudaStream_t stream) const {
  if (step.kind == Step::Kind::transfer) return enqueue_transfer(step, prepared, stream);
  if (moves_only(step.kind)) return enqueue_message(step, stream);
  const int images = step.output.region.images.size(), at_once = images_at_once(program_, step);
  const auto from_image = [&](View view, int image) {
    view.region.images.begin += image;
    return address(view);
  };
  for (int image = 0; image < images; image += at_once) {
    std::vector<const void*> inputs;
    for (const View& view : step.inputs) inputs.push_back(from_image(view, image));
    if (step.residual) inputs.push_back(from_image(*step.residual, image));
    prepared.kernel->launch(stream, inputs, from_image(step.output, image), prepared.weights,
                            workspaces_[step.device][step.stream]);
  }
}

void CapturedProgram::enqueue_transfer(const Step& step, const Prepared& prepared, cudaStream_t stream) const {
  // `stream` belongs to the source's GPU; no step uses it.
  const int source = program_.buffers[step.inputs.front().buffer].device;
  std::size_t staged = 0;
  for (const PeerCopy& copy : copies_of(step)) {
    if (!route_.through_host) {
      enqueue_copy(copy, route_.method(copy.bytes()), stream);
      continue;
    }
    const cudaStream_t from = devices_[source]->stream(program_.streams[source]);
    enqueue_copy_through_host(copy, prepared.staging.data() + staged, {devices_[source]->gpu(), from},
                              {devices_[step.device]->gpu(), stream});
    staged += copy.bytes();
    devices_[step.device]->activate();
  }
}

void CapturedProgram::enqueue_message(const Step& step, cudaStream_t stream) const {
  const bool sends = step.kind == Step::Kind::send;
  const View& view = sends ? step.inputs.front() : step.output;
  const std::size_t bytes = message_bytes(program_, view, precision_);
  const bool dense = is_dense(program_, view, precision_);
  char* const data = dense ? address(view) : workspaces_[step.device][step.stream];
  if (!sends) link_->enqueue_receive(step.message, data, bytes, stream);
  if (!dense)
    for (const PeerCopy& copy : packing_copies(program_, view, precision_, address(view), data))
      enqueue_copy(sends ? copy : reversed(copy), CopyMethod::kernel, stream);
  if (sends) link_->enqueue_send(step.message, data, bytes, stream);
}

std::vector<PeerCopy> CapturedProgram::copies_of(const Step& step) const {
  return transfer_copies(program_, step, precision_, address(step.output), address(step.inputs.front()));
}

CudaGraph CapturedProgram::capture(StepNodes& nodes) const {
  nodes.assign(program_.steps.size(), {});
  return capture(&nodes);
}

CudaGraph CapturedProgram::capture(StepNodes* nodes) const {
  const std::vector<Step>& steps = program_.steps;
  std::vector<bool> awaited(steps.size(), false);
  for (const Step& step : steps)
    for (int w : step.waits) awaited[w] = true;

  devices_.front()->activate();
  Capture capture(origin_);
  NewNodes new_nodes;
  const bool with_priorities = prioritised();
  const Event start = make_event(false);
  OPSCHED_CUDA(cudaEventRecord(start.get(), origin_));

  std::vector<Event> done(steps.size());
  std::vector<std::vector<bool>> joined(devices_.size());
  for (std::size_t d = 0; d < devices_.size(); ++d) joined[d].assign(program_.streams[d], false);
  joined[0].resize(std::max<std::size_t>(1, joined[0].size()));
  joined[0][0] = true;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    devices_[step.device]->activate();
    const cudaStream_t stream = devices_[step.device]->stream(step.stream);
    if (!joined[step.device][step.stream]) {
      OPSCHED_CUDA(cudaStreamWaitEvent(stream, start.get(), 0));
      joined[step.device][step.stream] = true;
    }
    for (int w : step.waits) OPSCHED_CUDA(cudaStreamWaitEvent(stream, done[w].get(), 0));
    enqueue(step, prepared_[i], stream);
    if (nodes || with_priorities) {
      std::vector<cudaGraphNode_t> added = new_nodes.take(origin_);
      if (step.priority > 0) set_priority(added, step.priority);
      if (nodes) (*nodes)[i] = std::move(added);
    }
    if (awaited[i]) {
      done[i] = make_event(false);
      OPSCHED_CUDA(cudaEventRecord(done[i].get(), stream));
    }
  }
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    for (std::size_t s = 0; s < joined[d].size(); ++s) {
      if (!joined[d][s] || (d == 0 && s == 0)) continue;
      const Event end = make_event(false);
      OPSCHED_CUDA(cudaEventRecord(end.get(), devices_[d]->stream(static_cast<int>(s))));
      OPSCHED_CUDA(cudaStreamWaitEvent(origin_, end.get(), 0));
    }
  }
  devices_.front()->activate();
  return capture.end();
}

bool CapturedProgram::prioritised() const {
  return std::ranges::any_of(program_.steps, [](const Step& step) { return step.priority > 0; });
}

unsigned long long CapturedProgram::instantiate_flags() const {
  return prioritised() ? cudaGraphInstantiateFlagUseNodePriority : 0;
}

std::vector<KernelChoice> CapturedProgram::kernels() const {
  std::map<std::string, std::string> chosen;
  for (std::size_t i = 0; i < prepared_.size(); ++i)
    if (prepared_[i].kernel)
      chosen.emplace(make_problem(program_, program_.steps[i], precision_, preferred_format(precision_)).key(),
                     prepared_[i].kernel->describe());
  std::vector<KernelChoice> kernels;
  for (auto& [problem, kernel] : chosen) kernels.push_back({problem, kernel});
  return kernels;
}

Preparation CapturedProgram::prepare_again(int times) const {
  using Clock = std::chrono::steady_clock;
  const auto ms_since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  devices_.front()->activate();
  OPSCHED_CUDA(cudaStreamSynchronize(origin_));
  Preparation all;
  all.waits = wait_count(program_);
  std::vector<double> captures, instantiations, uploads;
  for (int i = 0; i < times; ++i) {
    auto start = Clock::now();
    const CudaGraph graph = capture(nullptr);
    captures.push_back(ms_since(start));
    start = Clock::now();
    const GraphExec exec = instantiate(graph, instantiate_flags());
    instantiations.push_back(ms_since(start));
    start = Clock::now();
    OPSCHED_CUDA(cudaGraphUpload(exec.get(), origin_));
    OPSCHED_CUDA(cudaStreamSynchronize(origin_));
    uploads.push_back(ms_since(start));
    std::size_t nodes = 0;
    OPSCHED_CUDA(cudaGraphGetNodes(graph.get(), nullptr, &nodes));
    all.nodes = static_cast<int>(nodes);
  }
  all.capture_ms = median(std::move(captures));
  all.instantiate_ms = median(std::move(instantiations));
  all.upload_ms = median(std::move(uploads));
  return all;
}

void CapturedProgram::poison() {
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    OPSCHED_CUDA(cudaMemset(arenas_[d], 0xff, static_cast<std::size_t>(program_.arena_bytes[d])));
    OPSCHED_CUDA(cudaDeviceSynchronize());
  }
}

}  // namespace opsched

#include "core/runtime/cuda/captured_program.hpp"

#include <cuda_fp16.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace opsched {
namespace {

int element_bytes(Precision precision) { return precision == Precision::fp16 ? 2 : 4; }

/// Strides of a view in elements, and where it begins in its buffer.
struct Placement {
  Strides strides;
  std::int64_t first = 0;
};

Placement placement(const View& view, const Program& program, Precision precision) {
  const Shape& whole = program.buffers[view.buffer].shape;
  const std::int64_t image = whole.size();
  if (layout_of(precision) == Layout::nhwc)
    return {{image, 1, std::int64_t{whole.w} * whole.c, whole.c}, view.channel};
  const std::int64_t plane = std::int64_t{whole.h} * whole.w;
  return {{image, plane, whole.w, 1}, view.channel * plane};
}

Shape shape_of(const View& view, const Program& program) {
  const Shape& whole = program.buffers[view.buffer].shape;
  return {view.channels, whole.h, whole.w};
}

std::string text(const Shape& s) {
  return std::to_string(s.c) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w);
}

/// Calls f(index in a dense NCHW tensor, index in the buffer) for every element of a view.
template <class F>
void for_each_element(const View& view, const Program& program, int batch, Precision precision, F f) {
  const Shape shape = shape_of(view, program);
  const auto [strides, first] = placement(view, program, precision);
  std::int64_t dense = 0;
  for (int n = 0; n < batch; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int h = 0; h < shape.h; ++h)
        for (int w = 0; w < shape.w; ++w)
          f(dense++, first + n * strides.n + c * strides.c + h * strides.h + w * strides.w);
}

/// A buffer's content on the host, as floats.
class HostCopy {
 public:
  HostCopy(const Buffer& buffer, char* arena, int batch, Precision precision)
      : target_(arena + buffer.offset), half_(precision == Precision::fp16) {
    bytes_.resize(static_cast<std::size_t>(batch * buffer.shape.size() * element_bytes(precision)));
    cuda_check(cudaMemcpy(bytes_.data(), target_, bytes_.size(), cudaMemcpyDeviceToHost), "cudaMemcpy to the host");
  }
  float get(std::int64_t i) const {
    if (half_) return __half2float(reinterpret_cast<const __half*>(bytes_.data())[i]);
    return reinterpret_cast<const float*>(bytes_.data())[i];
  }
  void set(std::int64_t i, float value) {
    if (half_)
      reinterpret_cast<__half*>(bytes_.data())[i] = __float2half(value);
    else
      reinterpret_cast<float*>(bytes_.data())[i] = value;
  }
  void write_back() {
    cuda_check(cudaMemcpy(target_, bytes_.data(), bytes_.size(), cudaMemcpyHostToDevice), "cudaMemcpy to the GPU");
  }

 private:
  char* target_;
  bool half_;
  std::vector<char> bytes_;
};

}  // namespace

Problem problem_of(const Step& step, const Program& program, int batch, Precision precision) {
  Problem problem;
  problem.kind = step.kind;
  problem.batch = batch;
  problem.precision = precision;
  problem.input = shape_of(step.inputs.front(), program);
  for (const View& view : step.inputs) problem.input_strides.push_back(placement(view, program, precision).strides);
  problem.output_strides = placement(step.output, program, precision).strides;
  problem.pre = step.pre;
  problem.layer = step.layer;
  return problem;
}

struct CapturedProgram::Prepared {
  const Kernel* kernel = nullptr;
  const void* weights = nullptr;
};

CapturedProgram::CapturedProgram(Program program, int batch, Precision precision,
                                 std::span<DeviceContext* const> devices, const WeightSource& weights,
                                 std::span<void* const> arenas)
    : program_(std::move(program)), batch_(batch), precision_(precision), devices_(devices.begin(), devices.end()) {
  workspaces_.resize(devices_.size());
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    void* arena = d < arenas.size() ? arenas[d] : nullptr;
    if (!arena) arena = owned_.emplace_back(static_cast<std::size_t>(program_.arena_bytes[d])).data();
    arenas_.push_back(static_cast<char*>(arena));
  }

  std::vector<std::vector<std::size_t>> workspace(devices_.size());
  for (std::size_t d = 0; d < devices_.size(); ++d) workspace[d].assign(program_.streams[d], 0);
  std::vector<Prepared> prepared;
  for (const Step& step : program_.steps) {
    Prepared& p = prepared.emplace_back();
    if (step.kind == Step::Kind::transfer) continue;
    DeviceContext& device = *devices_[step.device];
    device.activate();
    p.kernel = &device.kernels().get(problem_of(step, program_, batch_, precision_));
    std::size_t& bytes = workspace[step.device][step.stream];
    bytes = std::max(bytes, p.kernel->workspace_bytes());
    if (!step.weights.empty()) p.weights = weights(step, *p.kernel, device);
  }
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    for (std::size_t bytes : workspace[d]) workspaces_[d].emplace_back(bytes);
  }
  capture(prepared);
}

char* CapturedProgram::address(const View& view) const {
  const Buffer& buffer = program_.buffers[view.buffer];
  return arenas_[buffer.device] + buffer.offset +
         placement(view, program_, precision_).first * element_bytes(precision_);
}

void CapturedProgram::enqueue(const Step& step, const Prepared& prepared, cudaStream_t stream) {
  if (step.kind == Step::Kind::transfer) {
    enqueue_transfer(step, stream);
    return;
  }
  std::vector<const void*> inputs;
  for (const View& view : step.inputs) inputs.push_back(address(view));
  prepared.kernel->launch(stream, inputs, address(step.output), prepared.weights,
                          workspaces_[step.device][step.stream].data());
}

void CapturedProgram::enqueue_transfer(const Step& step, cudaStream_t stream) {
  // A view is `rows` equal pieces, contiguous in themselves: images, or pixels of a channel slice.
  const View& from = step.inputs.front();
  const Shape source = program_.buffers[from.buffer].shape, target = program_.buffers[step.output.buffer].shape;
  const std::size_t element = element_bytes(precision_);
  const bool nhwc = layout_of(precision_) == Layout::nhwc;
  const std::size_t pixels = std::size_t(source.h) * source.w;
  const std::size_t rows = nhwc ? batch_ * pixels : batch_;
  const std::size_t width = element * from.channels * (nhwc ? 1 : pixels);
  const std::size_t source_pitch = element * source.c * (nhwc ? 1 : pixels);
  const std::size_t target_pitch = element * target.c * (nhwc ? 1 : pixels);
  if (width == source_pitch && width == target_pitch)
    cuda_check(cudaMemcpyAsync(address(step.output), address(from), rows * width, cudaMemcpyDefault, stream),
               "cudaMemcpyAsync between GPUs");
  else
    cuda_check(cudaMemcpy2DAsync(address(step.output), target_pitch, address(from), source_pitch, width, rows,
                                 cudaMemcpyDefault, stream),
               "cudaMemcpy2DAsync between GPUs");
}

void CapturedProgram::capture(const std::vector<Prepared>& prepared) {
  const std::vector<Step>& steps = program_.steps;
  std::vector<bool> awaited(steps.size(), false);
  for (const Step& step : steps)
    for (int w : step.waits) awaited[w] = true;

  devices_.front()->activate();
  origin_ = devices_.front()->stream(0);
  cuda_check(cudaStreamBeginCapture(origin_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  Event start = Event::untimed();
  cuda_check(cudaEventRecord(start.get(), origin_), "cudaEventRecord");

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
      cuda_check(cudaStreamWaitEvent(stream, start.get(), 0), "cudaStreamWaitEvent");
      joined[step.device][step.stream] = true;
    }
    for (int w : step.waits) cuda_check(cudaStreamWaitEvent(stream, done[w].get(), 0), "cudaStreamWaitEvent");
    enqueue(step, prepared[i], stream);
    if (awaited[i]) {
      done[i] = Event::untimed();
      cuda_check(cudaEventRecord(done[i].get(), stream), "cudaEventRecord");
    }
  }
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    for (std::size_t s = 0; s < joined[d].size(); ++s) {
      if (!joined[d][s] || (d == 0 && s == 0)) continue;
      Event end = Event::untimed();
      cuda_check(cudaEventRecord(end.get(), devices_[d]->stream(static_cast<int>(s))), "cudaEventRecord");
      cuda_check(cudaStreamWaitEvent(origin_, end.get(), 0), "cudaStreamWaitEvent");
    }
  }
  devices_.front()->activate();
  cudaGraph_t graph = nullptr;
  cuda_check(cudaStreamEndCapture(origin_, &graph), "cudaStreamEndCapture");
  exec_ = GraphExec(Graph_(graph));
  cuda_check(cudaGraphUpload(exec_.get(), origin_), "cudaGraphUpload");
}

void CapturedProgram::poison() {
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    devices_[d]->activate();
    cuda_check(cudaMemset(arenas_[d], 0xff, static_cast<std::size_t>(program_.arena_bytes[d])), "cudaMemset");
    cuda_check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }
}

// Both go through a host copy of the whole buffer: inputs and outputs are few, and a view may be a
// slice of any layout.
void CapturedProgram::upload(const View& view, const Tensor& tensor) {
  const Buffer& buffer = program_.buffers[view.buffer];
  devices_[buffer.device]->activate();
  if (tensor.n != batch_ || tensor.shape != shape_of(view, program_))
    throw Error("input tensor: expected batch " + std::to_string(batch_) + " of " + text(shape_of(view, program_)) +
                ", got batch " + std::to_string(tensor.n) + " of " + text(tensor.shape));
  HostCopy host(buffer, arenas_[buffer.device], batch_, precision_);
  for_each_element(view, program_, batch_, precision_,
                   [&](std::int64_t dense, std::int64_t placed) { host.set(placed, tensor.data[dense]); });
  host.write_back();
}

Tensor CapturedProgram::download(const View& view) const {
  const Buffer& buffer = program_.buffers[view.buffer];
  devices_[buffer.device]->activate();
  const HostCopy host(buffer, arenas_[buffer.device], batch_, precision_);
  Tensor tensor{.n = batch_, .shape = shape_of(view, program_), .data = {}};
  tensor.data.resize(static_cast<std::size_t>(batch_ * tensor.shape.size()));
  for_each_element(view, program_, batch_, precision_,
                   [&](std::int64_t dense, std::int64_t placed) { tensor.data[dense] = host.get(placed); });
  return tensor;
}

}  // namespace opsched

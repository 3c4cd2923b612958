#include "core/runtime/cuda/library/kernel_benchmark.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/kernel_check.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "core/runtime/tolerance.hpp"

namespace opsched {
namespace {

constexpr int kSamples = 16384;
constexpr int kMaxLaunches = 10;
constexpr int kMaxConcurrentLaunches = 3;                   // on each stream
constexpr int kMaxWeights = 12;                             // copies of the weights
constexpr double kSeriesMs = 0.2;                           // target duration of a series
constexpr std::size_t kMaxCopies = std::size_t{256} << 20;  // bytes of weights that a series may rotate through
constexpr std::size_t kGuard = 1024;                        // bytes around a tensor

/// Distance in elements from the first element of a tensor to the last, plus one.
std::int64_t extent(const TensorLayout& t, const Shape& s, int batch) {
  return (batch - 1) * t.n + (s.c - 1) * t.c + (s.h - 1) * t.h + (s.w - 1) * t.w + 1;
}

/// A tensor in its own memory, at an address with exactly its alignment.
struct Placed {
  DeviceBuffer memory;
  std::byte* address = nullptr;

  Placed(const TensorLayout& t, const Shape& s, int batch, int element)
      : memory(aligned(extent(t, s, batch) * element) + 2 * kGuard),
        address(memory.data() + kGuard + (t.alignment < 16 ? t.alignment : 0)) {}
};

/// Of a convolution, or only the bias of a pool.
ConvWeights random_weights(const Problem& problem) {
  const auto* conv = std::get_if<Conv2d>(&problem.layer);
  const std::size_t fan_in = conv ? std::size_t(problem.input.c / conv->groups) * conv->kernel[0] * conv->kernel[1] : 1;
  ConvWeights w;
  w.weight.resize(conv ? fan_in * problem.output.c : 0);
  w.bias.resize(problem.output.c);
  std::uint32_t state = 1;
  const auto draw = [&] {
    state = state * 1664525u + 1013904223u;
    return (static_cast<float>(state >> 8) * 0x1p-24f * 2.f - 1.f) * 1.7320508f;
  };
  const float scale = 1.f / std::sqrt(static_cast<float>(fan_in));
  for (float& x : w.weight) x = draw() * scale;
  for (float& x : w.bias) x = draw();
  for (std::vector<float>* values : {&w.input_factor, &w.input_bias}) {
    values->resize(problem.affine ? problem.input.c : 0);
    for (float& x : *values) x = draw();
  }
  return w;
}

std::string brief(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", x);
  return text;
}

}  // namespace

BenchmarkContext::BenchmarkContext() : stream_(make_stream()), begin_(make_event(true)), end_(make_event(true)) {
  flush_ = DeviceBuffer(static_cast<std::size_t>(device_attribute(cudaDevAttrL2CacheSize)) * 2);
}

void BenchmarkContext::flush_cache() const {
  OPSCHED_CUDA(cudaMemsetAsync(flush_.data(), 0, flush_.bytes(), stream_.get()));
}

struct KernelBenchmark::Data {
  Problem problem;
  const BenchmarkContext& context;
  std::vector<Placed> inputs;
  std::vector<const void*> addresses;  ///< of the inputs, then of the residual
  native::Sources sources;
  std::optional<Placed> residual;
  Placed output;
  DeviceBuffer workspace;
  ConvWeights weights;
  DeviceBuffer reference_weights, reference_bias, reference_factor, reference_shift, verdict;
  struct Packed {
    DeviceBuffer memory;
    int copies;
  };
  std::map<std::string, Packed> packed;  ///< by format

  Data(const Problem& p, const BenchmarkContext& c)
      : problem(p), context(c), output(p.result, p.output, p.batch, element_bytes(p.precision)) {}
};

KernelBenchmark::KernelBenchmark(const Problem& problem, const BenchmarkContext& context, std::size_t workspace_bytes)
    : data_(std::make_unique<Data>(problem, context)) {
  data_->workspace = DeviceBuffer(workspace_bytes);
  const int element = element_bytes(problem.precision);
  for (const TensorLayout& t : problem.inputs) {
    Placed& placed = data_->inputs.emplace_back(t, problem.input, problem.batch, element);
    kernel_check::fill_random(context.stream(), placed.address, extent(t, problem.input, problem.batch), element == 2,
                              static_cast<std::uint32_t>(data_->inputs.size()));
    data_->addresses.push_back(placed.address);
    data_->sources.list[data_->sources.count++] = {placed.address, free_stride(t, problem.layout)};
  }
  if (problem.residual) {
    const Placed& placed = data_->residual.emplace(*problem.residual, problem.output, problem.batch, element);
    kernel_check::fill_random(context.stream(), placed.address,
                              extent(*problem.residual, problem.output, problem.batch), element == 2,
                              static_cast<std::uint32_t>(data_->inputs.size() + 1));
    data_->addresses.push_back(placed.address);
  }
  data_->verdict = DeviceBuffer(sizeof(kernel_check::Verdict));
  if (!std::holds_alternative<Conv2d>(problem.layer) && !problem.bias) return;
  data_->weights = random_weights(problem);
  const auto upload = [](const std::vector<float>& values) {
    DeviceBuffer buffer(values.size() * sizeof(float));
    if (!values.empty()) OPSCHED_CUDA(cudaMemcpy(buffer.data(), values.data(), buffer.bytes(), cudaMemcpyHostToDevice));
    return buffer;
  };
  data_->reference_weights = upload(data_->weights.weight);
  data_->reference_bias = upload(data_->weights.bias);
  if (!problem.affine) return;
  data_->reference_factor = upload(data_->weights.input_factor);
  data_->reference_shift = upload(data_->weights.input_bias);
}

KernelBenchmark::~KernelBenchmark() = default;

const void* KernelBenchmark::weights_for(const Kernel& kernel, int copy) {
  if (kernel.weight_bytes() == 0) return nullptr;
  const std::size_t stride = aligned(kernel.weight_bytes());
  auto it = data_->packed.find(kernel.weight_format());
  if (it == data_->packed.end()) {
    const auto bytes = kernel.pack(data_->weights);
    const int copies = static_cast<int>(std::clamp<std::size_t>(kMaxCopies / stride, 1, kMaxWeights));
    DeviceBuffer memory(stride * copies);
    OPSCHED_CUDA(cudaMemcpy(memory.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    for (int i = 1; i < copies; ++i)
      OPSCHED_CUDA(cudaMemcpyAsync(memory.data() + i * stride, memory.data(), bytes.size(), cudaMemcpyDeviceToDevice,
                                   data_->context.stream()));
    it = data_->packed.emplace(kernel.weight_format(), Data::Packed{std::move(memory), copies}).first;
  }
  return it->second.memory.data() + copy % it->second.copies * stride;
}

void KernelBenchmark::launch(const Kernel& kernel, cudaStream_t stream, int copy, std::size_t workspace_offset) {
  kernel.launch(stream, data_->addresses, data_->output.address, weights_for(kernel, copy),
                data_->workspace.data() + workspace_offset);
}

double KernelBenchmark::check(const Kernel& kernel) {
  const BenchmarkContext& context = data_->context;
  const Problem& problem = data_->problem;
  const cudaStream_t stream = context.stream();
  if (kernel.workspace_bytes() > data_->workspace.bytes()) throw Error("needs more workspace than the benchmark has");
  const auto poison = [&](const DeviceBuffer& buffer) {
    if (buffer.bytes() > 0) OPSCHED_CUDA(cudaMemsetAsync(buffer.data(), 0xff, buffer.bytes(), stream));
  };
  poison(data_->output.memory);
  poison(data_->workspace);
  launch(kernel, stream, 0);
  const int element = element_bytes(problem.precision);
  const std::int64_t range = static_cast<std::int64_t>(data_->output.memory.bytes()) / element;
  OPSCHED_CUDA(cudaMemsetAsync(data_->verdict.data(), 0, sizeof(kernel_check::Verdict), stream));
  const auto floats = [](const DeviceBuffer& buffer) { return reinterpret_cast<const float*>(buffer.data()); };
  kernel_check::check(stream, problem, data_->sources, data_->residual ? data_->residual->address : nullptr,
                      {floats(data_->reference_weights), floats(data_->reference_bias), floats(data_->reference_factor),
                       floats(data_->reference_shift)},
                      data_->output.address, data_->output.memory.data(), range, kSamples,
                      reinterpret_cast<kernel_check::Verdict*>(data_->verdict.data()));
  kernel_check::Verdict verdict;
  OPSCHED_CUDA(cudaMemcpyAsync(&verdict, data_->verdict.data(), sizeof verdict, cudaMemcpyDeviceToHost, stream));
  OPSCHED_CUDA(cudaStreamSynchronize(stream));
  const std::int64_t outside = range - problem.batch * problem.output.size();
  const double error = std::sqrt(verdict.difference / std::max(verdict.norm, 1e-30));
  if (static_cast<std::int64_t>(verdict.nans) > outside || std::isnan(error)) throw Error("leaves or makes NaNs");
  if (static_cast<std::int64_t>(verdict.nans) < outside) throw Error("writes outside its output");
  if (error > kernel_tolerance(problem.precision)) throw Error("relative error " + brief(error));
  return error;
}

void KernelBenchmark::launch_in_a_row(const Kernel& kernel, int launches) {
  const cudaStream_t stream = data_->context.stream();
  for (int i = 0; i < launches; ++i) {
    launch(kernel, stream, i);
    // Separates the launches: a kernel that overlaps well with itself need not overlap with others.
    OPSCHED_CUDA(cudaMemsetAsync(data_->verdict.data(), 0, 4, stream));
  }
}

void KernelBenchmark::launch_side_by_side(const Kernel& kernel, int launches, int streams) {
  const BenchmarkContext& context = data_->context;
  const cudaStream_t stream = context.stream();
  for (int s = 0; s < streams; ++s) {
    const BenchmarkContext::Fork& fork = context.fork(s);
    OPSCHED_CUDA(cudaEventRecord(fork.begun.get(), stream));
    OPSCHED_CUDA(cudaStreamWaitEvent(fork.stream.get(), fork.begun.get()));
    for (int i = 0; i < launches; ++i)
      launch(kernel, fork.stream.get(), s * launches + i, s * aligned(kernel.workspace_bytes()));
    OPSCHED_CUDA(cudaEventRecord(fork.ended.get(), fork.stream.get()));
  }
  for (int s = 0; s < streams; ++s) OPSCHED_CUDA(cudaStreamWaitEvent(stream, context.fork(s).ended.get()));
}

KernelBenchmark::Series KernelBenchmark::capture(const Kernel& kernel, int launches, int streams) {
  const BenchmarkContext& context = data_->context;
  const cudaStream_t stream = context.stream();
  Series series;
  series.launches_ = launches * streams;
  Capture capture(stream);
  // The events are graph nodes, so that the time does not include the host's waits.
  OPSCHED_CUDA(cudaEventRecordWithFlags(context.begin().get(), stream, cudaEventRecordExternal));
  if (streams == 1)
    launch_in_a_row(kernel, launches);
  else
    launch_side_by_side(kernel, launches, streams);
  OPSCHED_CUDA(cudaEventRecordWithFlags(context.end().get(), stream, cudaEventRecordExternal));
  series.graph_ = instantiate(capture.end());
  return series;
}

double KernelBenchmark::once(const Kernel& kernel) { return capture(kernel, 1, 1).replay(data_->context); }

KernelBenchmark::Series KernelBenchmark::series(const Kernel& kernel, double about_ms, int streams) {
  const int most = streams == 1 ? kMaxLaunches : kMaxConcurrentLaunches, least = streams == 1 ? 2 : 1;
  return capture(kernel, std::clamp(static_cast<int>(kSeriesMs / std::max(about_ms, 1e-4) / streams), least, most),
                 streams);
}

double KernelBenchmark::Series::replay(const BenchmarkContext& context) const {
  OPSCHED_CUDA(cudaGraphLaunch(graph_.get(), context.stream()));
  OPSCHED_CUDA(cudaStreamSynchronize(context.stream()));
  return elapsed_ms(context.begin(), context.end()) / launches_;
}

double KernelBenchmark::Series::run(const BenchmarkContext& context) const {
  context.flush_cache();
  return replay(context);
}

double KernelBenchmark::Series::sustained(const BenchmarkContext& context, double about_ms, double ms) const {
  const cudaStream_t stream = context.stream();
  const int replays = std::max(1, static_cast<int>(ms / (about_ms * launches_)));
  const Event begin = make_event(true), end = make_event(true);
  for (int i = 0; i < 2 * replays; ++i) {
    if (i == replays) OPSCHED_CUDA(cudaEventRecord(begin.get(), stream));
    OPSCHED_CUDA(cudaGraphLaunch(graph_.get(), stream));
  }
  OPSCHED_CUDA(cudaEventRecord(end.get(), stream));
  OPSCHED_CUDA(cudaStreamSynchronize(stream));
  return elapsed_ms(begin, end) / (replays * launches_);
}

void load_code(const std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>>& kernels) {
  struct Needs {
    std::size_t input, output, weights, total;
  };
  const auto needs = [](const Problem& p, const Kernel& kernel) {
    const int element = element_bytes(p.precision);
    std::size_t input = 0;
    for (const TensorLayout& t : p.inputs) input = std::max(input, aligned(extent(t, p.input, p.batch) * element));
    if (p.residual) input = std::max(input, aligned(extent(*p.residual, p.output, p.batch) * element));
    const std::size_t output = aligned(extent(p.result, p.output, p.batch) * element);
    const std::size_t weights = aligned(kernel.weight_bytes());
    return Needs{input, output, weights, input + output + weights + kernel.workspace_bytes()};
  };
  std::size_t bytes = 0;
  for (const auto& [problem, kernel] : kernels) bytes = std::max(bytes, needs(problem, *kernel).total);
  const DeviceBuffer scratch(bytes);
  const Stream stream = make_stream();
  for (const auto& [problem, kernel] : kernels) {
    const Needs n = needs(problem, *kernel);
    std::byte* at = scratch.data();
    const std::vector<const void*> inputs(problem.inputs.size() + (problem.residual ? 1 : 0), at);
    std::byte *output = at + n.input, *weights = output + n.output;
    kernel->launch(stream.get(), inputs, output, weights, weights + n.weights);
  }
  OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
}

}  // namespace opsched

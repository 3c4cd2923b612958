// The kernel library against plain loops in double precision: every kernel that it may choose, on
// random shapes, strides, paddings, slices and sums, in every precision.
#include "core/runtime/cuda/kernels.hpp"

#include <cuda_fp16.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/cuda/cuda_check.hpp"
#include "core/runtime/cuda/cudnn_graph.hpp"
#include "core/runtime/cuda/kernel_sources.hpp"
#include "core/runtime/cuda/trial.hpp"

namespace opsched {
namespace {

int gpu_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  }
};
class Kernels : public OnGpu, public testing::WithParamInterface<Precision> {};
class KernelLibraryFiles : public OnGpu {};
class KernelTrials : public OnGpu {};

double tolerance(Precision p) { return p == Precision::fp32 ? 1e-5 : p == Precision::tf32 ? 2e-3 : 1e-2; }

using Rng = std::mt19937;
int pick(Rng& rng, std::initializer_list<int> from) {
  return *(from.begin() + std::uniform_int_distribution<int>(0, static_cast<int>(from.size()) - 1)(rng));
}

/// Elements between the first and one past the last of a tensor.
std::int64_t span_of(const TensorLayout& t, const Shape& s, int batch) {
  return (batch - 1) * t.n + (s.c - 1) * t.c + (s.h - 1) * t.h + (s.w - 1) * t.w + 1;
}

/// The numbers of a problem on the host: what memory holds, and what comes out.
struct Case {
  Problem problem;
  std::vector<std::vector<float>> inputs;  ///< memory, gaps included
  ConvWeights weights;
  std::vector<double> expected;  ///< NCHW
};

TensorLayout random_slice(Rng& rng, const Shape& shape, const Problem& p) {
  const int before = pick(rng, {0, 0, 1, 8}), after = pick(rng, {0, 0, 3, 8});
  return slice_layout({shape.c + before + after, shape.h, shape.w}, before, shape.c, p.batch, p.layout,
                      element_bytes(p.precision));
}

double activated(Activation act, double x) {
  return act == Activation::relu ? std::max(x, 0.0) : act == Activation::tanh ? std::tanh(x) : x;
}

std::vector<double> compute(const Case& c) {
  const Problem& p = c.problem;
  const auto input = [&](int n, int ch, int h, int w) {
    double sum = 0;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const TensorLayout& t = p.inputs[i];
      sum += c.inputs[i][n * t.n + ch * t.c + h * t.h + w * t.w];
    }
    return activated(p.pre, sum);
  };
  std::vector<double> out;
  for (int n = 0; n < p.batch; ++n)
    for (int k = 0; k < p.output.c; ++k)
      for (int y = 0; y < p.output.h; ++y)
        for (int x = 0; x < p.output.w; ++x) {
          if (const auto* conv = std::get_if<Conv2d>(&p.layer)) {
            const int depth = p.input.c / conv->groups, first = k / (p.output.c / conv->groups) * depth;
            double sum = c.weights.bias[k];
            for (int i = 0; i < depth; ++i)
              for (int r = 0; r < conv->kernel[0]; ++r)
                for (int s = 0; s < conv->kernel[1]; ++s) {
                  const int h = y * conv->stride[0] - conv->padding[0] + r;
                  const int w = x * conv->stride[1] - conv->padding[1] + s;
                  if (h < 0 || h >= p.input.h || w < 0 || w >= p.input.w) continue;
                  sum += input(n, first + i, h, w) *
                         c.weights.weight[((std::size_t(k) * depth + i) * conv->kernel[0] + r) * conv->kernel[1] + s];
                }
            out.push_back(activated(conv->act, sum));
          } else if (const auto* pool = std::get_if<Pool2d>(&p.layer)) {
            const bool global = pool->type == PoolType::global_avg;
            const std::array<int, 2> kernel = global ? std::array{p.input.h, p.input.w} : pool->kernel;
            double sum = 0, most = -INFINITY;
            int inside = 0;
            for (int r = 0; r < kernel[0]; ++r)
              for (int s = 0; s < kernel[1]; ++s) {
                const int h = global ? r : y * pool->stride[0] - pool->padding[0] + r;
                const int w = global ? s : x * pool->stride[1] - pool->padding[1] + s;
                if (h < 0 || h >= p.input.h || w < 0 || w >= p.input.w) continue;
                const double v = input(n, k, h, w);
                sum += v, most = std::max(most, v), ++inside;
              }
            const int area = !global && pool->count_padding ? kernel[0] * kernel[1] : inside;
            out.push_back(pool->type == PoolType::max ? most : sum / area);
          } else {
            out.push_back(input(n, k, y, x));
          }
        }
  return out;
}

/// Fills in shapes, slices and numbers of a problem whose kind, layer and input shape are set.
Case finish(Rng& rng, Problem p, int inputs) {
  p.output = p.kind == Step::Kind::gather              ? p.input
             : std::holds_alternative<Conv2d>(p.layer) ? infer_shape(std::get<Conv2d>(p.layer), p.input)
                                                       : infer_shape(std::get<Pool2d>(p.layer), p.input);
  for (int i = 0; i < inputs; ++i) p.inputs.push_back(random_slice(rng, p.input, p));
  p.result = random_slice(rng, p.output, p);
  Case c{p, {}, {}, {}};
  std::normal_distribution<float> normal;
  const auto draw = [&](float scale) {
    const float x = normal(rng) * scale;
    return p.precision == Precision::fp16 ? __half2float(__float2half(x)) : x;
  };
  for (const TensorLayout& t : p.inputs) {
    auto& memory = c.inputs.emplace_back(span_of(t, p.input, p.batch));
    for (float& x : memory) x = draw(1.f / std::sqrt(float(inputs)));
  }
  if (const auto* conv = std::get_if<Conv2d>(&p.layer)) {
    const int fan_in = p.input.c / conv->groups * conv->kernel[0] * conv->kernel[1];
    c.weights.weight.resize(std::size_t(fan_in) * conv->out_channels);
    c.weights.bias.resize(conv->out_channels);
    for (float& x : c.weights.weight) x = draw(1.f / std::sqrt(float(fan_in)));
    for (float& x : c.weights.bias) x = draw(1.f);
  }
  c.expected = compute(c);
  return c;
}

Problem blank(Rng& rng, Precision precision, Layout layout, Step::Kind kind) {
  Problem p;
  p.kind = kind;
  p.precision = precision;
  p.layout = layout;
  p.batch = pick(rng, {1, 1, 2, 3});
  return p;
}

Case random_depthwise(Rng& rng, Precision precision, Layout layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::depthwise);
  const int c = pick(rng, {1, 3, 16, 42, 77, 168}), k = pick(rng, {3, 3, 5, 7}), stride = pick(rng, {1, 2});
  p.input = {c, pick(rng, {7, 11, 21, 40}), pick(rng, {7, 13, 28, 83})};
  Conv2d conv{.out_channels = c, .kernel = {k, k}, .stride = {stride, stride}, .padding = {k / 2, k / 2}, .groups = c};
  if (pick(rng, {0, 0, 0, 1})) conv.kernel = {k, 1}, conv.padding = {k / 2, 0}, conv.stride = {3, 1};
  conv.act = pick(rng, {0, 1}) ? Activation::relu : Activation::none;
  p.layer = conv;
  p.pre = pick(rng, {0, 1}) ? Activation::relu : Activation::none;
  return finish(rng, p, pick(rng, {1, 1, 2, 3, 8}));
}

Case random_pool(Rng& rng, Precision precision, Layout layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::pool);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {7, 8, 17, 35}), pick(rng, {7, 8, 28})};
  Pool2d pool{.type = static_cast<PoolType>(pick(rng, {0, 1, 2})), .kernel = {3, 3}};
  pool.stride = {pick(rng, {1, 2}), pick(rng, {1, 2})};
  pool.padding = {pick(rng, {0, 1}), pick(rng, {0, 1})};
  pool.count_padding = pick(rng, {0, 1});
  p.layer = pool;
  p.pre = pick(rng, {0, 1}) ? Activation::relu : Activation::none;
  return finish(rng, p, pick(rng, {1, 1, 3}));
}

Case random_gather(Rng& rng, Precision precision, Layout layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::gather);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {1, 7, 28}), pick(rng, {1, 8, 35})};
  p.pre = static_cast<Activation>(pick(rng, {0, 1, 2}));
  return finish(rng, p, pick(rng, {1, 2, 5, native::kMaxSources}));
}

Case random_conv(Rng& rng, Precision precision, Layout layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::conv);
  const int groups = pick(rng, {1, 1, 1, 2});
  p.input = {groups * pick(rng, {3, 16, 42, 77, 96}), pick(rng, {1, 8, 17}), pick(rng, {7, 8, 20})};
  const int kh = pick(rng, {1, 1, 3, 5}), kw = pick(rng, {kh, kh, 1, 7});
  const int stride = pick(rng, {1, 1, 2});
  p.layer = Conv2d{.out_channels = groups * pick(rng, {7, 16, 42, 64}),
                   .kernel = {kh, kw},
                   .stride = {stride, stride},
                   .padding = {kh / 2, kw / 2},
                   .groups = groups,
                   .act = static_cast<Activation>(pick(rng, {0, 1, 1, 2}))};
  p.pre = pick(rng, {0, 0, 1}) ? Activation::relu : Activation::none;
  return finish(rng, p, pick(rng, {1, 1, 1, 2}));
}

/// A case on the GPU.
class Loaded {
 public:
  explicit Loaded(const Case& c) : case_(c), half_(c.problem.precision == Precision::fp16) {
    const Problem& p = c.problem;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const auto& memory = c.inputs[i];
      const int shift = p.inputs[i].alignment % 16;
      DeviceBuffer& buffer = inputs_.emplace_back(memory.size() * element() + 16);
      std::vector<std::byte> bytes(memory.size() * element());
      for (std::size_t j = 0; j < memory.size(); ++j) put(bytes.data(), j, memory[j]);
      OPSCHED_CUDA(cudaMemcpy(buffer.data() + shift, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
      addresses_.push_back(buffer.data() + shift);
    }
    output_ = DeviceBuffer(span_of(p.result, p.output, p.batch) * element() + 16);
  }

  std::byte* output() const { return output_.data() + case_.problem.result.alignment % 16; }
  std::span<const void* const> inputs() const { return addresses_; }
  void poison() const { OPSCHED_CUDA(cudaMemset(output_.data(), 0xff, output_.bytes())); }

  /// Relative error of what the output holds; infinite if a gap of the slice was written.
  double error() const {
    const Problem& p = case_.problem;
    const TensorLayout& t = p.result;
    std::vector<std::byte> bytes(output_.bytes());
    OPSCHED_CUDA(cudaMemcpy(bytes.data(), output(), span_of(t, p.output, p.batch) * element(), cudaMemcpyDeviceToHost));
    std::vector<bool> inside(span_of(t, p.output, p.batch), false);
    double difference = 0, norm = 0;
    std::size_t i = 0;
    for (int n = 0; n < p.batch; ++n)
      for (int k = 0; k < p.output.c; ++k)
        for (int y = 0; y < p.output.h; ++y)
          for (int x = 0; x < p.output.w; ++x, ++i) {
            const std::int64_t at = n * t.n + k * t.c + y * t.h + x * t.w;
            inside[at] = true;
            const double d = get(bytes.data(), at) - case_.expected[i];
            difference += d * d, norm += case_.expected[i] * case_.expected[i];
          }
    for (std::size_t at = 0; at < inside.size(); ++at)
      if (!inside[at] && !std::isnan(get(bytes.data(), at))) return INFINITY;
    return std::isnan(difference) ? INFINITY : std::sqrt(difference / std::max(norm, 1e-30));
  }

  double run(const Kernel& kernel) const {
    poison();
    DeviceBuffer weights(kernel.weight_bytes()), workspace(kernel.workspace_bytes());
    if (kernel.weight_bytes() > 0) {
      const auto packed = kernel.pack(case_.weights);
      EXPECT_EQ(packed.size(), kernel.weight_bytes());
      OPSCHED_CUDA(cudaMemcpy(weights.data(), packed.data(), packed.size(), cudaMemcpyHostToDevice));
    }
    if (workspace.bytes() > 0) OPSCHED_CUDA(cudaMemset(workspace.data(), 0xff, workspace.bytes()));
    kernel.launch(nullptr, inputs(), output(), weights.data(), workspace.data());
    OPSCHED_CUDA(cudaDeviceSynchronize());
    return error();
  }

 private:
  std::size_t element() const { return half_ ? 2 : 4; }
  void put(std::byte* to, std::size_t i, float x) const {
    if (half_) {
      reinterpret_cast<__half*>(to)[i] = __float2half(x);
    } else {
      reinterpret_cast<float*>(to)[i] = x;
    }
  }
  double get(const std::byte* from, std::size_t i) const {
    return half_ ? __half2float(reinterpret_cast<const __half*>(from)[i]) : reinterpret_cast<const float*>(from)[i];
  }

  const Case& case_;
  bool half_;
  std::vector<DeviceBuffer> inputs_;
  std::vector<const void*> addresses_;
  DeviceBuffer output_;
};

std::vector<Layout> layouts(Precision p) {
  if (p == Precision::fp16) return {Layout::nhwc};
  return {Layout::nchw, Layout::nhwc};
}

/// Every kernel of our own for this case; returns how many there were.
int check_native(const Case& c) {
  const Loaded loaded(c);
  const auto names = list_native(c.problem);
  for (const std::string& name : names)
    EXPECT_LT(loaded.run(*build_native(c.problem, name)), tolerance(c.problem.precision))
        << name << ": " << c.problem.key();
  return static_cast<int>(names.size());
}

TEST_P(Kernels, DepthwiseMatchesTheDefinition) {
  Rng rng(1);
  int kernels = 0;
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < 40; ++i) kernels += check_native(random_depthwise(rng, GetParam(), layout));
  EXPECT_GT(kernels, 40 * 2);
}

TEST_P(Kernels, PoolsMatchTheDefinition) {
  Rng rng(2);
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < 40; ++i) check_native(random_pool(rng, GetParam(), layout));
}

TEST_P(Kernels, GathersMatchTheDefinition) {
  Rng rng(3);
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < 40; ++i) check_native(random_gather(rng, GetParam(), layout));
}

TEST_P(Kernels, ConvolutionsMatchTheDefinition) {
  Rng rng(4);
  const auto site = std::make_shared<KernelSite>(0);
  const cudnn::Handle builder;
  std::map<std::string, int> right;  // kernels by source
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < 8; ++i) {
      const Case c = random_conv(rng, GetParam(), layout);
      const Loaded loaded(c);
      int usable = 0;
      std::map<std::string, int> tried;
      for (const std::string& name : list_kernels(c.problem, site, builder)) {
        const std::string source = name.substr(0, name.rfind('/'));
        if (++tried[source] > 3) continue;  // enough of a kind
        std::unique_ptr<Kernel> kernel;
        try {
          kernel = build_kernel(c.problem, name, site, builder);
        } catch (const Error&) {
          continue;  // a library may refuse what its heuristics propose
        }
        const double error = loaded.run(*kernel);
        // A library's kernel may be too coarse (the tuner drops it); ours may not.
        const bool library = name.find("cudnn/") != std::string::npos;
        if (!library) {
          EXPECT_LT(error, tolerance(GetParam())) << name << ": " << c.problem.key();
        }
        if (error < tolerance(GetParam()))
          ++usable, ++right[source.substr(0, source.find('/', source.find("cudnn/") + 6))];
      }
      EXPECT_GT(usable, 0) << c.problem.key();
    }
  for (const auto& [source, count] : right) RecordProperty(source, count);
}

TEST_P(Kernels, TheLibrarysChoicesAreRightAndRemembered) {
  Rng rng(5);
  std::vector<Case> cases;
  for (Layout layout : layouts(GetParam())) {
    cases.push_back(random_conv(rng, GetParam(), layout));
    cases.push_back(random_depthwise(rng, GetParam(), layout));
    cases.push_back(random_pool(rng, GetParam(), layout));
    Problem many = blank(rng, GetParam(), layout, Step::Kind::gather);  // more inputs than a kernel takes
    many.input = {5, 4, 3};
    many.pre = Activation::relu;
    cases.push_back(finish(rng, many, 2 * native::kMaxSources + 5));
  }
  std::vector<Problem> problems;
  for (const Case& c : cases) problems.push_back(c.problem);
  const auto file = std::filesystem::temp_directory_path() / ("opsched_kernels_" + std::to_string(getpid()) + ".json");
  std::filesystem::remove(file);
  std::map<std::string, std::string> chosen;
  {
    KernelLibrary library(0, file.string());
    library.prepare(problems);
    EXPECT_FALSE(library.tunings().empty());
    for (const Case& c : cases) {
      const auto kernel = library.get(c.problem);
      chosen[c.problem.key()] = kernel->describe();
      EXPECT_LT(Loaded(c).run(*kernel), tolerance(GetParam())) << kernel->describe() << ": " << c.problem.key();
    }
  }
  KernelLibrary again(0, file.string());
  again.prepare(problems);
  EXPECT_TRUE(again.tunings().empty());
  for (const Case& c : cases) {
    const auto kernel = again.get(c.problem);
    EXPECT_EQ(kernel->describe(), chosen[c.problem.key()]);
    EXPECT_LT(Loaded(c).run(*kernel), tolerance(GetParam()));
  }
  std::filesystem::remove(file);
}

TEST_P(Kernels, CanBeCapturedOnSeveralStreamsAtOnce) {
  Rng rng(6);
  const Layout layout = preferred_layout(GetParam());
  KernelLibrary library(0, "");
  std::vector<Case> cases;
  for (int i = 0; i < 4; ++i) cases.push_back(random_conv(rng, GetParam(), layout));
  for (int i = 0; i < 4; ++i) cases.push_back(random_depthwise(rng, GetParam(), layout));
  std::vector<Problem> problems;
  for (const Case& c : cases) problems.push_back(c.problem);
  library.prepare(problems);
  std::vector<std::unique_ptr<Loaded>> loaded;
  std::vector<DeviceBuffer> memory;
  std::vector<Stream> streams;
  std::vector<Event> joins;
  const Event fork = make_event(false);
  for (const Case& c : cases) {
    loaded.push_back(std::make_unique<Loaded>(c));
    loaded.back()->poison();
    streams.push_back(make_stream());
    joins.push_back(make_event(false));
    const auto kernel = library.get(c.problem);
    const auto packed = kernel->pack(c.weights);
    memory.emplace_back(packed.size() + 1);
    OPSCHED_CUDA(cudaMemcpy(memory.back().data(), packed.data(), packed.size(), cudaMemcpyHostToDevice));
    memory.emplace_back(kernel->workspace_bytes() + 1);
  }
  OPSCHED_CUDA(cudaStreamBeginCapture(streams[0].get(), cudaStreamCaptureModeRelaxed));
  OPSCHED_CUDA(cudaEventRecord(fork.get(), streams[0].get()));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (i > 0) OPSCHED_CUDA(cudaStreamWaitEvent(streams[i].get(), fork.get()));
    library.get(cases[i].problem)
        ->launch(streams[i].get(), loaded[i]->inputs(), loaded[i]->output(), memory[2 * i].data(),
                 memory[2 * i + 1].data());
    if (i > 0) {
      OPSCHED_CUDA(cudaEventRecord(joins[i].get(), streams[i].get()));
      OPSCHED_CUDA(cudaStreamWaitEvent(streams[0].get(), joins[i].get()));
    }
  }
  const GraphExec exec = instantiate(end_capture(streams[0]));
  OPSCHED_CUDA(cudaGraphLaunch(exec.get(), streams[0].get()));
  OPSCHED_CUDA(cudaDeviceSynchronize());
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_LT(loaded[i]->error(), tolerance(GetParam())) << cases[i].problem.key();
}

/// Kernels overlap with the end of their predecessors; what they read must still be complete.
TEST_F(KernelTrials, OverlappingLaunchesRespectDependences) {
  constexpr int kSteps = 300, kStreams = 4, kRecent = 12;
  Rng rng(8);
  Problem p;
  p.input = p.output = {64, 56, 56};
  p.inputs.assign(2, dense_layout(p.input, Layout::nchw));
  p.result = p.inputs[0];
  p.pre = Activation::tanh;
  const auto kernel = build_native(p, "gather");
  std::vector<DeviceBuffer> values;
  std::vector<Event> done;
  std::vector<float> expected;
  std::vector<Stream> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back(make_stream());
  const auto size = static_cast<std::size_t>(p.input.size());
  for (int i = 0; i < kRecent; ++i) {
    expected.push_back(0.1f * static_cast<float>(i) - 0.5f);
    const std::vector<float> start(size, expected.back());
    values.emplace_back(size * sizeof(float));
    OPSCHED_CUDA(cudaMemcpy(values.back().data(), start.data(), size * sizeof(float), cudaMemcpyHostToDevice));
  }
  OPSCHED_CUDA(cudaStreamBeginCapture(streams[0].get(), cudaStreamCaptureModeRelaxed));
  const Event fork = make_event(false);
  OPSCHED_CUDA(cudaEventRecord(fork.get(), streams[0].get()));
  for (int s = 1; s < kStreams; ++s) OPSCHED_CUDA(cudaStreamWaitEvent(streams[s].get(), fork.get()));
  std::vector<int> stream_of;
  for (int i = kRecent; i < kSteps; ++i) {
    const int stream = std::uniform_int_distribution<int>(0, kStreams - 1)(rng);
    std::array<const void*, 2> inputs{};
    float sum = 0;
    for (const void*& input : inputs) {
      const int from = i - 1 - std::uniform_int_distribution<int>(0, kRecent - 1)(rng);
      input = values[from].data();
      sum += expected[from];
      if (from >= kRecent && stream_of[from - kRecent] != stream)
        OPSCHED_CUDA(cudaStreamWaitEvent(streams[stream].get(), done[from - kRecent].get()));
    }
    expected.push_back(std::tanh(sum));
    values.emplace_back(size * sizeof(float));
    OPSCHED_CUDA(cudaMemset(values.back().data(), 0xff, size * sizeof(float)));
    kernel->launch(streams[stream].get(), inputs, values.back().data(), nullptr, nullptr);
    done.push_back(make_event(false));
    OPSCHED_CUDA(cudaEventRecord(done.back().get(), streams[stream].get()));
    stream_of.push_back(stream);
  }
  for (int s = 1; s < kStreams; ++s) {
    const Event end = make_event(false);
    OPSCHED_CUDA(cudaEventRecord(end.get(), streams[s].get()));
    OPSCHED_CUDA(cudaStreamWaitEvent(streams[0].get(), end.get()));
  }
  const GraphExec exec = instantiate(end_capture(streams[0]));
  OPSCHED_CUDA(cudaGraphLaunch(exec.get(), streams[0].get()));
  OPSCHED_CUDA(cudaDeviceSynchronize());
  for (int i = 0; i < kSteps; ++i) {
    std::vector<float> got(size);
    OPSCHED_CUDA(cudaMemcpy(got.data(), values[i].data(), size * sizeof(float), cudaMemcpyDeviceToHost));
    for (float x : got) ASSERT_NEAR(x, expected[i], 1e-4) << "step " << i;
  }
}

/// Does what it is told to, whatever the problem.
class Rogue : public Kernel {
 public:
  Rogue(std::int64_t from, std::int64_t count, int value) : from_(from), count_(count), value_(value) {}
  std::vector<std::byte> pack(const ConvWeights&) const override { return {}; }
  void launch(cudaStream_t stream, std::span<const void* const>, void* output, const void*, void*) const override {
    OPSCHED_CUDA(cudaMemsetAsync(static_cast<float*>(output) + from_, value_, count_ * sizeof(float), stream));
  }
  std::string describe() const override { return "rogue"; }
  std::string weight_format() const override { return "none"; }

 private:
  std::int64_t from_, count_;
  int value_;
};

TEST_F(KernelTrials, SeeWrongKernels) {
  Problem p;
  p.input = p.output = {8, 5, 5};
  p.inputs = {dense_layout(p.input, Layout::nchw)};
  p.result = slice_layout({24, 5, 5}, 8, 8, 1, Layout::nchw, 4);
  const TrialBench bench;
  Trial trial(p, bench);
  EXPECT_LT(trial.check(*build_native(p, "gather")), 1e-7);
  EXPECT_THROW(trial.check(Rogue(0, 200, 0)), Error);  // wrong numbers
  EXPECT_THROW(trial.check(Rogue(0, 199, 0)), Error);  // one missing
  EXPECT_THROW(trial.check(Rogue(0, 201, 0)), Error);  // one too many
  EXPECT_THROW(trial.check(Rogue(-1, 201, 0)), Error);
}

TEST_F(KernelLibraryFiles, BadOnesAreReported) {
  const auto file = std::filesystem::temp_directory_path() / ("opsched_choices_" + std::to_string(getpid()) + ".json");
  for (const char* text : {"{", "[]", "{\"format\": \"a profile\"}"}) {
    std::ofstream(file) << text;
    try {
      KernelLibrary library(0, file.string());
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(file.string()), std::string::npos) << e.what();
    }
  }
  // Another version's choices are replaced.
  std::ofstream(file) << R"({"format": "opsched kernel choices", "version": 1, "choices": 7})";
  Rng rng(7);
  const Case c = random_pool(rng, Precision::fp32, Layout::nchw);
  KernelLibrary library(0, file.string());
  library.get(c.problem);
  EXPECT_EQ(library.tunings().size(), 1u);
  EXPECT_NE(read_file(file.string()).find(c.problem.key()), std::string::npos);
  std::filesystem::remove(file);
}

INSTANTIATE_TEST_SUITE_P(, Kernels, testing::Values(Precision::fp32, Precision::tf32, Precision::fp16),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched

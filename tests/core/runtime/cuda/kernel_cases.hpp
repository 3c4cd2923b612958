// Random problems of the kernel library with their numbers, computed by plain loops in double precision.
#pragma once

#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/kernels/native_kernels.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"
#include "core/runtime/tolerance.hpp"

namespace opsched {

inline int gpu_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

/// How many random cases a test tries: `usual`, or what OPSCHED_TEST_CASES says (slow tools want fewer).
inline int cases(int usual) {
  const char* text = std::getenv("OPSCHED_TEST_CASES");
  return text ? std::atoi(text) : usual;
}

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  }
};

using Rng = std::mt19937;
inline int pick(Rng& rng, std::initializer_list<int> from) {
  return *(from.begin() + std::uniform_int_distribution<int>(0, static_cast<int>(from.size()) - 1)(rng));
}

/// Elements between the first and one past the last of a tensor.
inline std::int64_t span_of(const TensorLayout& t, const Shape& s, int batch) {
  return (batch - 1) * t.n + (s.c - 1) * t.c + (s.h - 1) * t.h + (s.w - 1) * t.w + 1;
}

/// The numbers of a problem on the host: what memory holds, and what comes out.
struct Case {
  Problem problem;
  std::vector<std::vector<float>> inputs;  ///< memory, gaps included
  ConvWeights weights;
  std::vector<double> expected;  ///< NCHW
};

inline TensorLayout random_slice(Rng& rng, const Shape& shape, const Problem& p) {
  const int before = pick(rng, {0, 0, 1, 8}), after = pick(rng, {0, 0, 3, 8});
  return slice_layout({shape.c + before + after, shape.h, shape.w}, before, shape.c, p.batch, p.layout,
                      element_bytes(p.precision));
}

inline double activated(Activation act, double x) {
  return act == Activation::relu ? std::max(x, 0.0) : act == Activation::tanh ? std::tanh(x) : x;
}

inline std::vector<double> compute(const Case& c) {
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
inline Case finish(Rng& rng, Problem p, int inputs) {
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

inline Problem blank(Rng& rng, Precision precision, TensorFormat layout, Step::Kind kind) {
  Problem p;
  p.kind = kind;
  p.precision = precision;
  p.layout = layout;
  p.batch = pick(rng, {1, 1, 2, 3});
  return p;
}

inline Case random_depthwise(Rng& rng, Precision precision, TensorFormat layout) {
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

inline Case random_pool(Rng& rng, Precision precision, TensorFormat layout) {
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

inline Case random_gather(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::gather);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {1, 7, 28}), pick(rng, {1, 8, 35})};
  p.pre = static_cast<Activation::Kind>(pick(rng, {0, 1, 2}));
  return finish(rng, p, pick(rng, {1, 2, 5, native::kMaxSources}));
}

inline Case random_conv(Rng& rng, Precision precision, TensorFormat layout) {
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
                   .act = static_cast<Activation::Kind>(pick(rng, {0, 1, 1, 2}))};
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

inline std::vector<TensorFormat> layouts(Precision p) {
  if (p == Precision::fp16) return {TensorFormat::nhwc};
  return {TensorFormat::nchw, TensorFormat::nhwc};
}

}  // namespace opsched

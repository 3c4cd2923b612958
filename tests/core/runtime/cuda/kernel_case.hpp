// A problem for the kernel library with random slices and data, its result computed by plain loops in double precision,
// and its run on the GPU.
#pragma once

#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <utility>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/kernels/native_kernels.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"
#include "core/runtime/program/resize_taps.hpp"
#include "core/runtime/tolerance.hpp"
#include "tests/support/exact_activation.hpp"

namespace opsched {

inline int gpu_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

/// Number of random cases of a test: `usual`, or OPSCHED_TEST_CASES, which slow tools set lower.
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

/// The data of a problem on the host: memory contents and expected results.
struct Case {
  Problem problem;
  std::vector<std::vector<float>> inputs;  ///< memory, including gaps
  ConvWeights weights;
  std::vector<double> expected;   ///< NCHW
  std::vector<float> residual{};  ///< memory, including gaps; empty without
};

/// Whether a problem can read and write some rows of larger tensors. Averaging or resizing an image reads all rows.
inline bool takes_rows(const Problem& p) {
  const auto* pool = std::get_if<Pool2d>(&p.layer);
  return p.batch == 1 && p.kind != Step::Kind::resize && p.kind != Step::Kind::depth_to_space &&
         (!pool || pool->type != PoolType::global_avg);
}

/// Channels of a wider tensor, and up to `more` additional rows if the problem can select rows. All inputs have the
/// same height.
inline TensorLayout random_slice(Rng& rng, const Shape& shape, const Problem& p, int more = 0) {
  const int before = pick(rng, {0, 0, 1, 8}), after = pick(rng, {0, 0, 3, 8});
  if (!takes_rows(p)) more = 0;
  const int row = std::uniform_int_distribution<int>(0, more)(rng);
  return slice_layout({shape.c + before + after, shape.h + more, shape.w}, before, shape.c, p.layout,
                      element_bytes(p.precision), {{0, p.batch}, {row, row + shape.h}});
}

inline Activation activation(int kind) {
  switch (kind) {
    case Activation::leaky_relu:
      return {Activation::leaky_relu, 0.125f};
    case Activation::elu:
      return {Activation::elu, 0.75f};
    case Activation::clip:
      return {Activation::clip, -0.25f, 0.75f};
    case Activation::hard_sigmoid:
      return {Activation::hard_sigmoid, 0.2f, 0.5f};
    default:
      return static_cast<Activation::Kind>(kind);
  }
}
/// none or relu half of the time, otherwise any activation.
inline Activation random_activation(Rng& rng) {
  const int any = std::uniform_int_distribution<int>(0, Activation::kinds - 1)(rng);
  return activation(pick(rng, {Activation::none, Activation::relu, any, any}));
}

/// Random padding smaller than the kernel at each end, and sometimes a dilation if the input is large enough.
template <class Window>
void make_uncommon(Rng& rng, Window& w, const Shape& input) {
  for (int d : {0, 1}) {
    const int size = d == 0 ? input.h : input.w, most = w.dilation[d] * (w.kernel[d] - 1);
    if (most >= size) continue;
    if (const int dilation = pick(rng, {1, 2, 3}); dilation * (w.kernel[d] - 1) < size) w.dilation[d] = dilation;
    const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, std::max(0, n))(rng); };
    w.padding[d] = up_to(most), w.more_padding[d] = up_to(most) - w.padding[d];
  }
}

inline std::vector<double> compute(const Case& c) {
  const Problem& p = c.problem;
  const ConvWeights& weights = c.weights;
  const auto input = [&](int n, int ch, int h, int w) {
    const bool product = p.kind == Step::Kind::multiply;
    double all = product ? 1 : 0;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const TensorLayout& t = p.inputs[i];
      const double one = c.inputs[i][n * t.n + ch * t.c + h * t.h + w * t.w];
      all = product ? all * one : all + one;
    }
    if (p.affine) all = weights.input_factor[ch] * all + weights.input_bias[ch];
    return exact_activation(p.pre, all);
  };
  std::vector<ResizeTap> rows, columns;
  if (const auto* resize = std::get_if<Resize2d>(&p.layer)) {
    rows = resize_taps(*resize, 0, p.input.h, p.output.h);
    columns = resize_taps(*resize, 1, p.input.w, p.output.w);
  }
  std::vector<double> out;
  for (int n = 0; n < p.batch; ++n)
    for (int k = 0; k < p.output.c; ++k)
      for (int y = 0; y < p.output.h; ++y)
        for (int x = 0; x < p.output.w; ++x) {
          if (const auto* conv = std::get_if<Conv2d>(&p.layer)) {
            const int depth = p.input.c / conv->groups, first = k / (p.output.c / conv->groups) * depth;
            double sum = weights.bias[k];
            for (int i = 0; i < depth; ++i)
              for (int r = 0; r < conv->kernel[0]; ++r)
                for (int s = 0; s < conv->kernel[1]; ++s) {
                  const int h = y * conv->stride[0] - conv->padding[0] + r * conv->dilation[0];
                  const int w = x * conv->stride[1] - conv->padding[1] + s * conv->dilation[1];
                  if (h < 0 || h >= p.input.h || w < 0 || w >= p.input.w) continue;
                  sum += input(n, first + i, h, w) *
                         weights.weight[((std::size_t(k) * depth + i) * conv->kernel[0] + r) * conv->kernel[1] + s];
                }
            out.push_back(exact_activation(conv->act, sum));
          } else if (const auto* pool = std::get_if<Pool2d>(&p.layer)) {
            const bool global = pool->type == PoolType::global_avg;
            const std::array<int, 2> kernel = global ? std::array{p.input.h, p.input.w} : pool->kernel;
            double sum = 0, most = -INFINITY;
            int inside = 0;
            for (int r = 0; r < kernel[0]; ++r)
              for (int s = 0; s < kernel[1]; ++s) {
                const int h = global ? r : y * pool->stride[0] - pool->padding[0] + r * pool->dilation[0];
                const int w = global ? s : x * pool->stride[1] - pool->padding[1] + s * pool->dilation[1];
                if (h < 0 || h >= p.input.h || w < 0 || w >= p.input.w) continue;
                const double v = input(n, k, h, w);
                sum += v, most = std::max(most, v), ++inside;
              }
            const int area = !global && pool->count_padding ? kernel[0] * kernel[1] : inside;
            const double mean = sum / area;
            out.push_back(pool->type == PoolType::max ? most
                          : p.bias                    ? exact_activation(p.post, mean + weights.bias[k])
                                                      : mean);
          } else if (std::holds_alternative<Resize2d>(p.layer)) {
            const ResizeTap &row = rows[y], &column = columns[x];
            const auto across = [&](int h) {
              return input(n, k, h, column.first) * (1 - column.share) + input(n, k, h, column.second) * column.share;
            };
            out.push_back(across(row.first) * (1 - row.share) + across(row.second) * row.share);
          } else {
            out.push_back(input(n, k, y, x));
          }
          if (p.residual) {
            const TensorLayout& t = *p.residual;
            out.back() = exact_activation(p.post, out.back() + c.residual[n * t.n + k * t.c + y * t.h + x * t.w]);
          }
        }
  return out;
}

/// Draws shapes and slices of a problem whose kind, layer and input shape are set; with a residual, if it has one.
inline Problem draw_slices(Rng& rng, Problem p, int inputs) {
  p.output = p.input;
  if (const auto* conv = std::get_if<Conv2d>(&p.layer)) p.output = infer_shape(*conv, p.input);
  if (const auto* pool = std::get_if<Pool2d>(&p.layer)) p.output = infer_shape(*pool, p.input);
  if (const auto* resize = std::get_if<Resize2d>(&p.layer)) p.output = infer_shape(*resize, p.input);
  const bool product = p.kind == Step::Kind::multiply;
  const int more = pick(rng, {0, 0, 0, 3});
  for (int i = 0; i < inputs; ++i) {
    Shape shape = p.input;
    const int repeated = product ? pick(rng, {0, 0, 6, 6, 1, 2, 4, 7}) : 0;  // axes: 1 c, 2 h, 4 w
    if (repeated & 1) shape.c = 1;
    if (repeated & 2) shape.h = 1;
    if (repeated & 4) shape.w = 1;
    TensorLayout& t = p.inputs.emplace_back(random_slice(rng, shape, p, more));
    if (shape.c < p.input.c) t.c = 0;
    if (shape.h < p.input.h) t.h = 0;
    if (shape.w < p.input.w) t.w = 0;
  }
  p.result = random_slice(rng, p.output, p, pick(rng, {0, 0, 0, 5}));
  if (p.residual) p.residual = random_slice(rng, p.output, p, pick(rng, {0, 0, 0, 5}));
  return p;
}

/// Draws the data of a problem.
inline Case draw_data(Rng& rng, const Problem& p) {
  Case c{p, {}, {}, {}};
  std::normal_distribution<float> normal;
  const auto draw = [&](float scale) {
    const float x = normal(rng) * scale;
    return p.precision == Precision::fp16 ? __half2float(__float2half(x)) : x;
  };
  for (const TensorLayout& t : p.inputs) {
    auto& memory = c.inputs.emplace_back(span_of(t, p.input, p.batch));
    for (float& x : memory) x = draw(p.kind == Step::Kind::multiply ? 1.f : 1.f / std::sqrt(float(p.inputs.size())));
  }
  if (p.residual) {
    c.residual.resize(span_of(*p.residual, p.output, p.batch));
    for (float& x : c.residual) x = draw(1.f);
  }
  if (const auto* conv = std::get_if<Conv2d>(&p.layer)) {
    const int fan_in = p.input.c / conv->groups * conv->kernel[0] * conv->kernel[1];
    c.weights.weight.resize(std::size_t(fan_in) * conv->out_channels);
    c.weights.bias.resize(conv->out_channels);
    for (float& x : c.weights.weight) x = draw(1.f / std::sqrt(float(fan_in)));
    for (float& x : c.weights.bias) x = draw(1.f);
    for (std::vector<float>* values : {&c.weights.input_factor, &c.weights.input_bias}) {
      values->resize(p.affine ? p.input.c : 0);
      for (float& x : *values) x = draw(1.f);
    }
  }
  if (p.bias) {
    c.weights.bias.resize(p.output.c);
    for (float& x : c.weights.bias) x = draw(1.f);
  }
  c.expected = compute(c);
  return c;
}

inline Case finish(Rng& rng, Problem p, int inputs) { return draw_data(rng, draw_slices(rng, std::move(p), inputs)); }

/// A case on the GPU.
class Loaded {
 public:
  explicit Loaded(const Case& c) : case_(c), half_(c.problem.precision == Precision::fp16) {
    const Problem& p = c.problem;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) load(c.inputs[i], p.inputs[i]);
    if (p.residual) load(c.residual, *p.residual);
    output_ = DeviceBuffer(span_of(p.result, p.output, p.batch) * element() + 16);
  }

  std::byte* output() const { return output_.data() + case_.problem.result.alignment % 16; }
  /// Last: the residual, if any.
  std::span<const void* const> inputs() const { return addresses_; }
  void poison() const { OPSCHED_CUDA(cudaMemset(output_.data(), 0xff, output_.bytes())); }

  /// Relative error of the output; infinite if a gap between slices was overwritten.
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
  void load(const std::vector<float>& memory, const TensorLayout& t) {
    const int shift = t.alignment % 16;
    DeviceBuffer& buffer = inputs_.emplace_back(memory.size() * element() + 16);
    std::vector<std::byte> bytes(memory.size() * element());
    for (std::size_t j = 0; j < memory.size(); ++j) put(bytes.data(), j, memory[j]);
    OPSCHED_CUDA(cudaMemcpy(buffer.data() + shift, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    addresses_.push_back(buffer.data() + shift);
  }
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

}  // namespace opsched

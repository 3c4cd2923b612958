// Random dense convolutions as our own kernels see them, with results computed by a plain loop in double precision.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {

struct ConvCase {
  ConvGeometry g;
  int in_channels_whole, in_first, out_channels_whole, out_first;  // slices of larger buffers
  std::vector<float> input;                                        // whole buffer, NCHW
  ConvWeights weights;
  int residual_channels_whole = 0, residual_first = 0;
  std::vector<float> residual{};  // whole buffer, NCHW; empty without
};

inline std::vector<float> normal(std::mt19937& rng, std::size_t n, float scale) {
  std::normal_distribution<float> d(0, scale);
  std::vector<float> v(n);
  for (float& x : v) x = d(rng);
  return v;
}

/// What is fused with a convolution. Affine: 1x1 without padding, after an affine layer, in buffers aligned to 16
/// bytes.
enum class Fused { nothing, affine, residual };

inline ConvCase random_case(unsigned seed, bool nhwc, int most_channels = 192, Fused fused = Fused::nothing) {
  const bool affine = fused == Fused::affine;
  std::mt19937 rng(seed);
  ConvCase c;
  ConvGeometry& g = c.g;
  g.batch = pick(rng, {1, 1, 1, 2, 3});
  g.c = most_channels < 8 ? std::uniform_int_distribution<int>(1, most_channels)(rng)
                          : pick(rng, {1, 3, 8, 16, 20, 33, 48, 64, 77, 96, 168, 192});
  g.k = pick(rng, {1, 7, 16, 32, 42, 64, 77, 96, 130, 192});
  g.h = pick(rng, {1, 5, 7, 8, 11, 17, 28});
  g.w = pick(rng, {1, 6, 7, 8, 13, 17, 35});
  g.r = pick(rng, {1, 1, 3, 5, 7});
  g.s = pick(rng, {1, 1, 3, 5, 7});
  g.pad_h = g.r / 2;
  g.pad_w = g.s / 2;
  int end_h = g.pad_h, end_w = g.pad_w;  // only below and to the right
  if (pick(rng, {0, 0, 1})) {
    g.pad_h += pick(rng, {0, 1}), g.pad_w += pick(rng, {0, 2}), end_h += pick(rng, {0, 1}), end_w += pick(rng, {0, 2});
    if (g.r <= g.h) g.dilation_h = pick(rng, {1, 2, 3}), end_h += (g.dilation_h - 1) * (g.r - 1);
    if (g.s <= g.w) g.dilation_w = pick(rng, {1, 2, 3}), end_w += (g.dilation_w - 1) * (g.s - 1);
  }
  if (affine) {
    g.r = g.s = g.dilation_h = g.dilation_w = 1;
    g.pad_h = g.pad_w = end_h = end_w = 0;
    g.pre_affine = true;
  }
  g.stride_h = pick(rng, {1, 1, 2});
  g.stride_w = pick(rng, {1, 1, 2});
  g.p = (g.h + g.pad_h + end_h - g.dilation_h * (g.r - 1) - 1) / g.stride_h + 1;
  g.q = (g.w + g.pad_w + end_w - g.dilation_w * (g.s - 1) - 1) / g.stride_w + 1;
  g.pre_relu = pick(rng, {0, 1});
  do g.act = random_activation(rng);
  while (!native::is_light(g.act));
  c.in_first = pick(rng, {0, 0, 4, 8, 16});
  c.in_channels_whole = c.in_first + g.c + pick(rng, {0, 0, 8});
  if (affine) c.in_first = round_up(c.in_first, 8), c.in_channels_whole = round_up(c.in_channels_whole + 4, 8);
  c.out_first = pick(rng, {0, 0, 3, 8});
  c.out_channels_whole = c.out_first + g.k + pick(rng, {0, 0, 8});
  if (nhwc) {
    g.in_stride = c.in_channels_whole;
    g.out_stride = c.out_channels_whole;
  } else {
    g.in_stride = std::int64_t{g.h} * g.w;
    g.out_stride = std::int64_t{g.p} * g.q;
  }
  g.in_stride_n = std::int64_t{c.in_channels_whole} * g.h * g.w;
  g.out_stride_n = std::int64_t{c.out_channels_whole} * g.p * g.q;
  c.input = normal(rng, static_cast<std::size_t>(g.batch * g.in_stride_n), 1.f);
  c.weights.weight = normal(rng, std::size_t(g.k) * g.c * g.r * g.s, 1.f / std::sqrt(float(g.c * g.r * g.s)));
  c.weights.bias = normal(rng, static_cast<std::size_t>(g.k), 1.f);
  if (affine) {
    c.weights.input_factor = normal(rng, static_cast<std::size_t>(g.c), 1.f);
    c.weights.input_bias = normal(rng, static_cast<std::size_t>(g.c), 1.f);
  }
  if (fused == Fused::residual) {
    g.residual = true;
    g.post_relu = pick(rng, {0, 1});
    c.residual_first = pick(rng, {0, 0, 3, 8});
    c.residual_channels_whole = c.residual_first + g.k + pick(rng, {0, 0, 8});
    g.residual_stride = nhwc ? c.residual_channels_whole : std::int64_t{g.p} * g.q;
    g.residual_stride_n = std::int64_t{c.residual_channels_whole} * g.p * g.q;
    c.residual = normal(rng, static_cast<std::size_t>(g.batch * g.residual_stride_n), 1.f);
  }
  return c;
}

/// The result as dense NCHW.
/// Computed in the order of the loops. Sum: the type of every intermediate number.
template <class Sum = double>
std::vector<double> expected(const ConvCase& c) {
  const ConvGeometry& g = c.g;
  std::vector<double> out;
  for (int n = 0; n < g.batch; ++n)
    for (int k = 0; k < g.k; ++k)
      for (int p = 0; p < g.p; ++p)
        for (int q = 0; q < g.q; ++q) {
          Sum sum = c.weights.bias[k];
          for (int i = 0; i < g.c; ++i)
            for (int r = 0; r < g.r; ++r)
              for (int s = 0; s < g.s; ++s) {
                const int h = p * g.stride_h - g.pad_h + r * g.dilation_h;
                const int w = q * g.stride_w - g.pad_w + s * g.dilation_w;
                if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
                Sum x = c.input[n * g.in_stride_n + (std::int64_t{c.in_first + i} * g.h + h) * g.w + w];
                if (g.pre_affine) x = std::fma(x, Sum(c.weights.input_factor[i]), Sum(c.weights.input_bias[i]));
                if (g.pre_relu) x = std::max(x, Sum(0));
                sum = std::fma(x, Sum(c.weights.weight[((std::size_t(k) * g.c + i) * g.r + r) * g.s + s]), sum);
              }
          out.push_back(exact_activation(g.act, sum));
          if (!g.residual) continue;
          out.back() += c.residual[n * g.residual_stride_n + (std::int64_t{c.residual_first + k} * g.p + p) * g.q + q];
          if (g.post_relu) out.back() = std::max(out.back(), 0.0);
        }
  return out;
}

inline double error(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::isfinite(difference) ? std::sqrt(difference / std::max(norm, 1e-30)) : INFINITY;
}

/// The sums of the absolute values of all products, computed like the results.
inline std::vector<double> magnitudes(ConvCase c) {
  for (std::vector<float>* values :
       {&c.input, &c.weights.weight, &c.weights.bias, &c.weights.input_factor, &c.weights.input_bias})
    for (float& x : *values) x = std::abs(x);
  c.g.act = Activation::none;
  c.g.residual = false;
  return expected(c);
}

inline double norm(const std::vector<double>& values) {
  return std::sqrt(
      std::transform_reduce(values.begin(), values.end(), 0., std::plus<>(), [](double x) { return x * x; }));
}

/// The error that a kernel may have. tf32x3: that of an fp32 sum, or the last bit of each product.
inline double allowed(Precision precision, const ConvCase& c, const std::vector<double>& want) {
  switch (precision) {
    case Precision::fp32:
      return 1e-5;
    case Precision::tf32x3:
      return std::max(error(expected<float>(c), want), 0x1p-23 * norm(magnitudes(c)) / norm(want));
    case Precision::tf32:
      return 2e-3;
    case Precision::fp16:
      return 1e-2;
  }
  return 0;
}

template <class T>
DeviceBuffer to_device(const std::vector<T>& values) {
  DeviceBuffer buffer(values.size() * sizeof(T));
  OPSCHED_CUDA(cudaMemcpy(buffer.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  return buffer;
}

/// Major number of the GPU's compute capability.
inline int major_capability() {
  cudaDeviceProp p{};
  OPSCHED_CUDA(cudaGetDeviceProperties(&p, 0));
  return p.major;
}
inline bool clusters() { return major_capability() >= 9; }

/// Alignment in bytes of every pixel of an NHWC slice.
inline int alignment(std::int64_t stride, int first, int element) {
  for (int a : {16, 8, 4})
    if (stride * element % a == 0 && first * element % a == 0) return a;
  return 2;
}

/// A whole NCHW buffer as the matrix units read it, NHWC.
template <class T>
std::vector<T> channels_last(const std::vector<float>& values, int batch, int channels, int plane) {
  std::vector<T> whole(values.size());
  for (std::int64_t n = 0; n < batch; ++n)
    for (int i = 0; i < channels; ++i)
      for (int at = 0; at < plane; ++at)
        whole[(n * plane + at) * channels + i] = T(values[(n * channels + i) * plane + at]);
  return whole;
}
template <class T>
std::vector<T> channels_last(const ConvCase& c) {
  return channels_last<T>(c.input, c.g.batch, c.in_channels_whole, c.g.h * c.g.w);
}

/// A case's residual in device memory.
template <class T>
class LoadedResidual {
 public:
  LoadedResidual(const ConvCase& c, bool nhwc) {
    const ConvGeometry& g = c.g;
    if (!g.residual) return;
    if (nhwc)
      memory_ = to_device(channels_last<T>(c.residual, g.batch, c.residual_channels_whole, g.p * g.q));
    else
      memory_ = to_device(c.residual);
    residual_ = {reinterpret_cast<const T*>(memory_.data()) + c.residual_first * (nhwc ? 1 : g.residual_stride),
                 alignment(g.residual_stride, c.residual_first, sizeof(T))};
  }
  operator const ConvResidual&() const { return residual_; }

 private:
  DeviceBuffer memory_;
  ConvResidual residual_;
};

/// The slice that was written, as dense NCHW.
template <class T>
std::vector<double> channels_first(const ConvCase& c, const DeviceBuffer& output) {
  const ConvGeometry& g = c.g;
  std::vector<T> out(g.batch * g.out_stride_n);
  OPSCHED_CUDA(cudaMemcpy(out.data(), output.data(), out.size() * sizeof(T), cudaMemcpyDeviceToHost));
  std::vector<double> got;
  for (int n = 0; n < g.batch; ++n)
    for (int k = 0; k < g.k; ++k)
      for (int i = 0; i < g.p * g.q; ++i)
        got.push_back(float(out[n * g.out_stride_n + i * g.out_stride + c.out_first + k]));
  return got;
}

template <class T>
DeviceBuffer poisoned_output(const ConvCase& c) {
  return to_device(std::vector<T>(c.g.batch * c.g.out_stride_n, T(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace opsched

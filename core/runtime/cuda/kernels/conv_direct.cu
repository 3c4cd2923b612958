#include <cuda_fp16.h>

#include <algorithm>
#include <cstring>

#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_direct.hpp"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

constexpr int kThreads = 128;
constexpr int kResults = 4;  // per thread: neighbouring pixels of one channel in NHWC, channels of one pixel in NCHW

struct Params {
  ConvGeometry g;
  int k;                                  // output channels of all groups
  int pixels;                             // output pixels of all images
  native::FastDiv channels, parts, area;  // NHWC: output channels; NCHW: parts of kResults channels; pixels per image
  native::FastDiv columns, group;         // output columns; channels (NHWC) or parts (NCHW) of a group
  std::uint32_t total;
  const float* bias;
};

/// An output pixel and the corner of its window.
struct Result {
  std::int64_t image;
  int at;         // pixel index within the image
  int top, left;  // corner of the window
};

__device__ __forceinline__ Result result_at(const Params& params, int pixel) {
  const ConvGeometry& g = params.g;
  std::uint32_t image = pixel;
  const int at = params.area.split(image);
  std::uint32_t y = at;
  const int x = params.columns.split(y);
  return {image, at, static_cast<int>(y) * g.stride_h - g.pad_h, x * g.stride_w - g.pad_w};
}

/// Neighbouring threads compute neighbouring channels of the same pixels: they read the same inputs and adjacent
/// weights.
template <class T>
__global__ void direct_nhwc(const T* __restrict__ input, const T* __restrict__ weights, T* __restrict__ output,
                            const __grid_constant__ Params params) {
  native::await_predecessor();
  const ConvGeometry& g = params.g;
  std::uint32_t part = blockIdx.x * kThreads + threadIdx.x;
  if (part >= params.total) return;
  const int k = params.channels.split(part), first = part * kResults;
  const int group = params.group.div(k);
  Result of[kResults];
  float sum[kResults] = {};
#pragma unroll
  for (int i = 0; i < kResults; ++i) of[i] = result_at(params, min(first + i, params.pixels - 1));
  const T* weight = weights + k;
  for (int r = 0; r < g.r; ++r)
    for (int s = 0; s < g.s; ++s) {
      const T* from[kResults];
#pragma unroll
      for (int i = 0; i < kResults; ++i) {
        const int y = of[i].top + r * g.dilation_h, x = of[i].left + s * g.dilation_w;
        const bool inside = y >= 0 && y < g.h && x >= 0 && x < g.w;
        from[i] = inside ? input + of[i].image * g.in_stride_n +
                               (static_cast<std::int64_t>(y) * g.w + x) * g.in_stride + group * g.c
                         : nullptr;
      }
      for (int c = 0; c < g.c; ++c, weight += params.k) {
        const float w = native::to_float(*weight);
#pragma unroll
        for (int i = 0; i < kResults; ++i) {
          float x = from[i] ? native::to_float(from[i][c]) : 0.f;
          if (g.pre_relu) x = native::larger(x, 0.f);
          sum[i] = fmaf(w, x, sum[i]);
        }
      }
    }
#pragma unroll
  for (int i = 0; i < kResults; ++i) sum[i] += params.bias[k];
  native::activate_all(g.act, sum);
#pragma unroll
  for (int i = 0; i < kResults; ++i)
    if (first + i < params.pixels)
      output[of[i].image * g.out_stride_n + of[i].at * g.out_stride + k] = native::from_float<T>(sum[i]);
}

/// Neighbouring threads compute neighbouring pixels of the same channels: they read the same weights and adjacent
/// inputs.
__global__ void direct_nchw(const float* __restrict__ input, const float* __restrict__ weights,
                            float* __restrict__ output, const __grid_constant__ Params params) {
  native::await_predecessor();
  const ConvGeometry& g = params.g;
  std::uint32_t part = blockIdx.x * kThreads + threadIdx.x;
  if (part >= params.total) return;
  const std::uint32_t at = params.area.split(part);
  std::uint32_t image = part;
  const int part_of_channels = params.parts.split(image);
  std::uint32_t group = part_of_channels;
  const int in_group = params.group.split(group) * kResults;
  const int count = min(kResults, g.k - in_group), k = group * g.k + in_group;
  std::uint32_t p = at;
  const int q = params.columns.split(p);
  const int top = static_cast<int>(p) * g.stride_h - g.pad_h, left = q * g.stride_w - g.pad_w;
  const float* from = input + image * g.in_stride_n + static_cast<std::int64_t>(group) * g.c * g.in_stride;
  float sum[kResults] = {};
  const float* weight = weights + k;
  for (int r = 0; r < g.r; ++r)
    for (int s = 0; s < g.s; ++s) {
      const int y = top + r * g.dilation_h, x = left + s * g.dilation_w;
      const bool inside = y >= 0 && y < g.h && x >= 0 && x < g.w;
      for (int c = 0; c < g.c; ++c, weight += params.k) {
        float value = inside ? from[c * g.in_stride + static_cast<std::int64_t>(y) * g.w + x] : 0.f;
        if (g.pre_relu) value = native::larger(value, 0.f);
#pragma unroll
        for (int i = 0; i < kResults; ++i) sum[i] = fmaf(i < count ? weight[i] : 0.f, value, sum[i]);
      }
    }
#pragma unroll
  for (int i = 0; i < kResults; ++i) sum[i] += i < count ? params.bias[k + i] : 0.f;
  native::activate_all(g.act, sum);
#pragma unroll
  for (int i = 0; i < kResults; ++i)
    if (i < count) output[image * g.out_stride_n + (k + i) * g.out_stride + at] = sum[i];
}

std::size_t element_of(const DirectConv& conv) { return conv.half ? 2 : 4; }
std::size_t all_k(const DirectConv& conv) { return std::size_t(conv.geometry.groups) * conv.geometry.k; }
std::size_t bias_at(const DirectConv& conv) {
  const ConvGeometry& g = conv.geometry;
  return round_up(std::size_t(g.r) * g.s * g.c * all_k(conv) * element_of(conv), std::size_t{256});
}

}  // namespace

std::size_t conv_direct_weight_bytes(const DirectConv& conv) {
  return bias_at(conv) + round_up(all_k(conv) * sizeof(float), std::size_t{256});
}

void conv_direct_pack(const DirectConv& conv, const float* weight, const float* bias, std::byte* packed) {
  const ConvGeometry& g = conv.geometry;
  const std::size_t depth = g.c, channels = all_k(conv), taps = std::size_t(g.r) * g.s;
  std::memset(packed, 0, conv_direct_weight_bytes(conv));
  for (std::size_t k = 0, from = 0; k < channels; ++k)
    for (std::size_t c = 0; c < depth; ++c)
      for (std::size_t t = 0; t < taps; ++t, ++from) {
        const std::size_t at = (t * depth + c) * channels + k;
        if (conv.half) {
          const __half h = __float2half(weight[from]);
          std::memcpy(packed + at * 2, &h, 2);
        } else {
          std::memcpy(packed + at * 4, &weight[from], 4);
        }
      }
  std::memcpy(packed + bias_at(conv), bias, channels * sizeof(float));
}

void conv_direct_launch(const DirectConv& conv, const void* input, void* output, const void* packed,
                        cudaStream_t stream) {
  const ConvGeometry& g = conv.geometry;
  const std::int64_t area = std::int64_t{g.p} * g.q, pixels = g.batch * area;
  native::blocks_for(pixels, kThreads);  // throws if indices do not fit into 31 bits
  Params params;
  params.g = g;
  params.k = g.groups * g.k;
  params.pixels = static_cast<int>(pixels);
  const int parts_of_group = (g.k + kResults - 1) / kResults;
  const bool nhwc = conv.layout == TensorFormat::nhwc;
  params.channels = native::FastDiv(params.k);
  params.parts = native::FastDiv(parts_of_group * g.groups);
  params.area = native::FastDiv(static_cast<std::uint32_t>(area));
  params.columns = native::FastDiv(g.q);
  params.group = native::FastDiv(nhwc ? g.k : parts_of_group);
  params.bias = reinterpret_cast<const float*>(static_cast<const std::byte*>(packed) + bias_at(conv));
  const std::int64_t total = nhwc ? (pixels + kResults - 1) / kResults * params.k : pixels * parts_of_group * g.groups;
  const native::Grid grid{dim3(native::blocks_for(total, kThreads)), dim3(kThreads)};
  params.total = static_cast<std::uint32_t>(total);
  const auto run = [&](auto kernel, auto element) {
    using T = decltype(element);
    native::launch_overlapping(kernel, grid, stream, static_cast<const T*>(input), static_cast<const T*>(packed),
                               static_cast<T*>(output), params);
  };
  if (!nhwc)
    run(direct_nchw, float{});
  else if (conv.half)
    run(direct_nhwc<__half>, __half{});
  else
    run(direct_nhwc<float>, float{});
}

}  // namespace opsched

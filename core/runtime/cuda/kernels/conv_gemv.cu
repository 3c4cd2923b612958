// Matrix times vector. The tiles of the other convolutions are at least 32 pixels wide, so that with one pixel most of
// their work is padding. Here, a warp computes one output channel and reads its row of weights before the predecessor
// has ended.
#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_gemv.hpp"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

constexpr int kWarps = 4;       // per block
constexpr int kAhead = 8;       // vectors of weights that a thread reads early
constexpr int kVector = 16;     // bytes
constexpr int kMostImages = 8;  // every image reads all the weights, so matrix products are better for more

struct Params {
  int c, k, vectors;  // vectors: of a row of weights
  bool pre_relu, aligned;
  Activation act;
  const void* input;
  void* output;
  const void* weights;
  const float* bias;
  std::int64_t in_stride_n, out_stride_n;
};

template <class T>
using Row = native::Vec<T, kVector / sizeof(T)>;

/// Vector `v` of the input, with zeros behind its end.
template <class T>
__device__ __forceinline__ Row<T> input_vector(const Params& params, const T* in, int v) {
  constexpr int kEach = kVector / sizeof(T);
  if (params.aligned && (v + 1) * kEach <= params.c) return native::load<T, kEach>(in + v * kEach);
  Row<T> row;
#pragma unroll
  for (int i = 0; i < kEach; ++i) row.v[i] = v * kEach + i < params.c ? in[v * kEach + i] : native::from_float<T>(0.f);
  return row;
}

template <class T>
__device__ __forceinline__ float product(const Row<T>& weights, const Row<T>& in, bool pre_relu) {
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < kVector / static_cast<int>(sizeof(T)); ++i) {
    const float x = native::to_float(in.v[i]);
    sum = fmaf(native::to_float(weights.v[i]), pre_relu ? native::larger(x, 0.f) : x, sum);
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kWarps * 32) gemv_kernel(const __grid_constant__ Params params) {
  const int lane = threadIdx.x % 32, row = blockIdx.x * kWarps + threadIdx.x / 32;
  const Row<T>* const weights =
      static_cast<const Row<T>*>(params.weights) + static_cast<std::int64_t>(min(row, params.k - 1)) * params.vectors;
  Row<T> ahead[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i)
    if (lane + 32 * i < params.vectors) ahead[i] = native::load_constant(weights + lane + 32 * i);
  const float bias = params.bias[min(row, params.k - 1)];
  native::await_predecessor();
  const T* const in = static_cast<const T*>(params.input) + blockIdx.y * params.in_stride_n;
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < kAhead; ++i)
    if (lane + 32 * i < params.vectors)
      sum += product<T>(ahead[i], input_vector(params, in, lane + 32 * i), params.pre_relu);
#pragma unroll 4
  for (int v = lane + 32 * kAhead; v < params.vectors; v += 32)
    sum += product<T>(native::load_constant(weights + v), input_vector(params, in, v), params.pre_relu);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane > 0 || row >= params.k) return;
  static_cast<T*>(params.output)[blockIdx.y * params.out_stride_n + row] =
      native::from_float<T>(native::activate_light(params.act, sum + bias));
}

int element_of(Precision precision) { return precision == Precision::fp16 ? 2 : 4; }

/// Elements of a padded row of weights.
std::size_t row_of(const ConvGeometry& g, Precision precision) {
  return round_up(g.c, kVector / element_of(precision));
}

std::size_t bias_at(const ConvGeometry& g, Precision precision) {
  return g.k * row_of(g, precision) * element_of(precision);
}

}  // namespace

bool conv_gemv_supports(const ConvGeometry& g) {
  return g.groups == 1 && g.h == 1 && g.w == 1 && g.p == 1 && g.q == 1 && g.r == 1 && g.s == 1 && g.pad_h == 0 &&
         g.pad_w == 0 && !g.pre_affine && !g.residual && g.batch <= kMostImages;
}

std::size_t conv_gemv_weight_bytes(const ConvGeometry& g, Precision precision) {
  return bias_at(g, precision) + g.k * sizeof(float);
}

void conv_gemv_pack(const ConvGeometry& g, Precision precision, const ConvWeights& weights, std::byte* packed) {
  std::memset(packed, 0, conv_gemv_weight_bytes(g, precision));
  for (int k = 0; k < g.k; ++k)
    for (int c = 0; c < g.c; ++c) {
      const float value = weights.weight[std::size_t(k) * g.c + c];
      std::byte* const at = packed + (k * row_of(g, precision) + c) * element_of(precision);
      if (precision == Precision::fp16) {
        const __half h = __float2half(value);
        std::memcpy(at, &h, sizeof h);
      } else {
        std::memcpy(at, &value, sizeof value);
      }
    }
  std::memcpy(packed + bias_at(g, precision), weights.bias.data(), g.k * sizeof(float));
}

void conv_gemv_launch(const ConvGeometry& g, Precision precision, bool aligned, const void* input, void* output,
                      const void* packed, cudaStream_t stream) {
  if (!conv_gemv_supports(g)) throw Error("conv_gemv: not a 1x1 convolution of single pixels");
  const bool half = precision == Precision::fp16;
  const Params params{
      .c = g.c,
      .k = g.k,
      .vectors = static_cast<int>(row_of(g, precision)) * element_of(precision) / kVector,
      .pre_relu = g.pre_relu,
      .aligned = aligned,
      .act = g.act,
      .input = input,
      .output = output,
      .weights = packed,
      .bias = reinterpret_cast<const float*>(static_cast<const std::byte*>(packed) + bias_at(g, precision)),
      .in_stride_n = g.in_stride_n,
      .out_stride_n = g.out_stride_n};
  const native::Grid grid{dim3((g.k + kWarps - 1) / kWarps, g.batch), dim3(kWarps * 32)};
  native::launch_overlapping(half ? gemv_kernel<__half> : gemv_kernel<float>, grid, stream, params);
}

}  // namespace opsched

// How tensor-core convolutions transform their input before the product.
#pragma once

#include <cuda_fp16.h>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"

namespace opsched {

/// Applies the ReLU, if any, and rounds to the format in which the product is computed.
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, mma::Fp16) {
  if (!relu) return x;
  const __half2 v = __hmax2_nan(*reinterpret_cast<__half2*>(&x), __float2half2_rn(0.f));
  return *reinterpret_cast<const unsigned*>(&v);
}
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, mma::Tf32x3) {
  return relu ? __float_as_uint(native::larger(__uint_as_float(x), 0.f)) : x;
}
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, mma::Tf32) {
  return mma::round_to_tf32(__uint_as_float(prepare(x, relu, mma::Tf32x3{})));
}

/// prepare() for all elements; checks once for a ReLU.
template <int N, class Format>
__device__ __forceinline__ void prepare_all(unsigned (&x)[N][4], bool relu, Format format) {
  if (relu) {
#pragma unroll
    for (int i = 0; i < N * 4; ++i) x[i / 4][i % 4] = prepare(x[i / 4][i % 4], true, format);
  } else {
#pragma unroll
    for (int i = 0; i < N * 4; ++i) x[i / 4][i % 4] = prepare(x[i / 4][i % 4], false, format);
  }
}

/// Factor and bias of a channel. Those of a step's channels are adjacent in shared memory.
using AffineOf = float2;

/// prepare_all() with an affine layer, on left-side values loaded by ldmatrix: chunks k and k + 1 of a tile. A thread
/// has one word of each chunk, which is two channels in fp16. The layer is computed in fp32 and rounded once, as in a
/// separate pass. `least` is 0 if it has a ReLU, otherwise -infinity.
template <int N, class Format>
__device__ __forceinline__ void prepare_affine(unsigned (&x)[N][4], const AffineOf* of, int k, float least,
                                               Format format) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const AffineOf a = of[(k + half) * 4 + threadIdx.x % 4];
#pragma unroll
    for (int i = 0; i < N * 2; ++i) {
      unsigned& word = x[i / 2][half * 2 + i % 2];
      word = prepare(__float_as_uint(native::larger(fmaf(a.x, __uint_as_float(word), a.y), least)), false, format);
    }
  }
}
template <int N>
__device__ __forceinline__ void prepare_affine(unsigned (&x)[N][4], const AffineOf* of, int k, float least, mma::Fp16) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float4 a = *reinterpret_cast<const float4*>(of + (k + half) * 8 + threadIdx.x % 4 * 2);
#pragma unroll
    for (int i = 0; i < N * 2; ++i) {
      unsigned& word = x[i / 2][half * 2 + i % 2];
      const float2 v = __half22float2(*reinterpret_cast<const __half2*>(&word));
      const __half2 result =
          __floats2half2_rn(native::larger(fmaf(a.x, v.x, a.y), least), native::larger(fmaf(a.z, v.y, a.w), least));
      word = *reinterpret_cast<const unsigned*>(&result);
    }
  }
}

}  // namespace opsched

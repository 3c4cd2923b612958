// How tensor-core convolutions transform their input before the product.
#pragma once

#include <cuda_fp16.h>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"

namespace opsched {

/// Applies the ReLU, if any, and rounds to the tensor cores' input format.
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, __half) {
  if (!relu) return x;
  const __half2 v = __hmax2_nan(*reinterpret_cast<__half2*>(&x), __float2half2_rn(0.f));
  return *reinterpret_cast<const unsigned*>(&v);
}
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, float) {
  return mma::round_to_tf32(relu ? native::larger(__uint_as_float(x), 0.f) : __uint_as_float(x));
}

/// prepare() for all elements; checks once for a ReLU.
template <int N, class T>
__device__ __forceinline__ void prepare_all(unsigned (&x)[N][4], bool relu, T kind) {
  if (relu) {
#pragma unroll
    for (int i = 0; i < N * 4; ++i) x[i / 4][i % 4] = prepare(x[i / 4][i % 4], true, kind);
  } else {
#pragma unroll
    for (int i = 0; i < N * 4; ++i) x[i / 4][i % 4] = prepare(x[i / 4][i % 4], false, kind);
  }
}

/// Factor and bias of a channel. Those of a step's channels are adjacent in shared memory.
using AffineOf = float2;

/// prepare_all() with an affine layer, on left-side values loaded by ldmatrix: chunks k and k + 1 of a tile. A thread
/// has one word of each chunk, which is two channels in fp16. The layer is computed in fp32 and rounded once, as in a
/// separate pass. `least` is 0 if it has a ReLU, otherwise -infinity.
template <int N>
__device__ __forceinline__ void prepare_affine(unsigned (&x)[N][4], const AffineOf* of, int k, float least, float) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const AffineOf a = of[(k + half) * 4 + threadIdx.x % 4];
#pragma unroll
    for (int i = 0; i < N * 2; ++i) {
      unsigned& word = x[i / 2][half * 2 + i % 2];
      word = mma::round_to_tf32(native::larger(fmaf(a.x, __uint_as_float(word), a.y), least));
    }
  }
}
template <int N>
__device__ __forceinline__ void prepare_affine(unsigned (&x)[N][4], const AffineOf* of, int k, float least, __half) {
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

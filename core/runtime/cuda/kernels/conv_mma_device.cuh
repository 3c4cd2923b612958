// What convolutions on the matrix units do to a number before the product.
#pragma once

#include <cuda_fp16.h>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"

namespace opsched {

/// What the input goes through on its way to the matrix units.
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, __half) {
  if (!relu) return x;
  const __half2 v = __hmax2_nan(*reinterpret_cast<__half2*>(&x), __float2half2_rn(0.f));
  return *reinterpret_cast<const unsigned*>(&v);
}
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, float) {
  return mma::round_to_tf32(relu ? native::larger(__uint_as_float(x), 0.f) : __uint_as_float(x));
}

/// The same of all; of ReLU it is asked once.
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

}  // namespace opsched

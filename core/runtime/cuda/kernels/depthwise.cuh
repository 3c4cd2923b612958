// Shared declarations of the depthwise convolution.
#pragma once

#include <algorithm>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {

/// Applies ReLU to every stored element and keeps NaN.
template <class T, int V>
__device__ __forceinline__ void relu(Vec<T, V>& x) {
  if constexpr (sizeof(T) == 4) {
    for_all(x.v, [](float v) { return larger(v, 0.f); });
  } else if constexpr (V == 1) {
    x.v[0] = __hmax_nan(x.v[0], __half(0.f));
  } else {
    auto* pairs = reinterpret_cast<__half2*>(x.v);
#pragma unroll
    for (int v = 0; v < V / 2; ++v) pairs[v] = __hmax2_nan(pairs[v], __half2(0.f, 0.f));
  }
}

void depthwise_tiled(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
                     const float* bias, float* out, std::int64_t out_stride);

bool supports_planes(const DepthwiseCall& call);

void depthwise_planes(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
                      const float* bias, float* out, std::int64_t out_stride);

template <class T>
void depthwise_strip(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                     const float* bias, T* out, std::int64_t out_stride);

template <class T>
void depthwise_tile(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                    const float* bias, T* out, std::int64_t out_stride);

}  // namespace opsched::native

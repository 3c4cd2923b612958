// Shared declarations of the depthwise convolution.
#pragma once

#include <algorithm>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {

void depthwise_tiled(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
                     const float* bias, float* out, std::int64_t out_stride);

template <class T>
void depthwise_strip(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                     const float* bias, T* out, std::int64_t out_stride);

}  // namespace opsched::native

// Our fp32 convolution with a window of one pixel (NCHW, no tensor cores).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// Output channels per block, as compiled.
std::vector<int> conv_pointwise_rows();
/// 1x1 windows with stride 1, no padding, one group, and at most a ReLU before them.
bool conv_pointwise_supports(const ConvGeometry& g);

/// Packed weights: [block of channels out][channel in, padded][channel out of the block], then the bias, padded.
std::size_t conv_pointwise_weight_bytes(const ConvGeometry& g, int rows);
void conv_pointwise_pack(const ConvGeometry& g, int rows, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. Throws Error on CUDA errors.
void conv_pointwise_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                           cudaStream_t stream, const ConvResidual& residual = {});

}  // namespace opsched

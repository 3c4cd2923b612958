// Our fp32 convolution with 3x3 windows of stride 1 by Winograd's minimal filtering (NCHW, no tensor cores).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// Output channels per block, as compiled: those that blocks with this much shared memory have room for.
std::vector<int> conv_winograd_rows(std::size_t shared_bytes);
/// Windows of 3x3 with stride 1, one group, and at most a ReLU before them.
bool conv_winograd_supports(const ConvGeometry& g);

/// Packed weights: [channels in, in steps][component][channel of the step][channel out, padded], then the bias, padded.
std::size_t conv_winograd_weight_bytes(const ConvGeometry& g);
void conv_winograd_pack(const ConvGeometry& g, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. Throws Error on CUDA errors.
void conv_winograd_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                          cudaStream_t stream, const ConvResidual& residual = {});

}  // namespace opsched

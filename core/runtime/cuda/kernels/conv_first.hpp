// Our fp32 convolution of images with few channels (NCHW): the first layer of most networks.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// Up to four channels, windows of 3x3 or 7x7 with stride 2, one group, nothing fused before them and no residual; rows
/// of outputs aligned to 16 bytes, and as long as a multiple of four.
bool conv_first_supports(const ConvGeometry& g);
/// Output channels per block, as compiled: those that blocks with this much shared memory have room for.
std::vector<int> conv_first_rows(const ConvGeometry& g, std::size_t shared_bytes);

/// Packed weights: [block of channels out][channel in][tap][channel out of the block], then the bias, padded.
std::size_t conv_first_weight_bytes(const ConvGeometry& g, int rows);
void conv_first_pack(const ConvGeometry& g, int rows, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. Throws Error on CUDA errors.
void conv_first_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                       cudaStream_t stream);

}  // namespace opsched

// Our fp32 convolution (NCHW, no tensor cores).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"

namespace opsched {

/// Compiled tiles, with splits left at 1.
std::vector<ConvTile> conv_simt_tiles();
/// Useful splits for this problem on a GPU with this many multiprocessors.
std::vector<int> conv_simt_splits(const ConvGeometry& g, const ConvTile& tile, int multiprocessors, bool clusters);

/// Packed weights: [tap r, s][channel in, padded unless there are few][channel out, padded], then the bias, padded;
/// then, with an affine layer, factor and bias of each input channel.
std::size_t conv_simt_weight_bytes(const ConvGeometry& g);
/// The order of the packed weights; problems with few channels use a different one.
const char* conv_simt_weight_format(const ConvGeometry& g);
void conv_simt_pack(const ConvGeometry& g, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. Throws Error on CUDA errors.
void conv_simt_launch(const ConvGeometry& g, const ConvTile& tile, const float* input, float* output,
                      const void* packed, cudaStream_t stream, const LaunchStyle& style = {},
                      const ConvResidual& residual = {});

}  // namespace opsched

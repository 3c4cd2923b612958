// Own tf32 and fp16 convolution for inputs of few channels: a network's first layer (NHWC, on the
// matrix units).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "core/precision.hpp"
#include "core/runtime/cuda/conv_geometry.hpp"

namespace opsched {

constexpr int kConvThinChannels = 4;  ///< of the input, at most

/// How the work is cut: a block of `warps` warps computes `channels` output channels of 16 columns of
/// `warps` x `rows` output rows.
struct ThinTile {
  int channels = 0, rows = 0, warps = 0;
};
/// Tiles that were compiled and fit the problem.
std::vector<ThinTile> conv_thin_tiles(const ConvGeometry& g, Precision precision);

/// Packed weights: in the order in which threads hand them to the matrix units, then the bias as floats.
/// Precision: tf32 or fp16.
std::size_t conv_thin_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_thin_pack(const ConvGeometry& g, Precision precision, const float* weight, const float* bias,
                    std::byte* packed);

/// Launches on the current device. `output_alignment`: bytes that every pixel of the output slice is
/// aligned to. Throws Error for a tile that conv_thin_tiles does not list, or where CUDA refuses.
void conv_thin_launch(const ConvGeometry& g, Precision precision, const ThinTile& tile, int output_alignment,
                      const void* input, void* output, const void* packed, cudaStream_t stream);

}  // namespace opsched

// Our convolution that keeps its input patch and weights in shared memory (NHWC, tensor cores), for
// windows of several taps over a few to some dozen channels, and for first layers.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"

namespace opsched {

/// Up to this many input channels, any alignment works; beyond, the channels must fill 16 bytes, and every pixel must
/// be aligned to 16.
constexpr int kConvThinChannels = 4;

/// How the work is tiled: a block of `warps` warps computes `channels` output channels of 16 columns of `warps` x
/// `rows` output rows.
struct PatchTile {
  int channels = 0, rows = 0, warps = 0;
};
/// Compiled tiles that fit the problem.
std::vector<PatchTile> conv_patch_tiles(const ConvGeometry& g, Precision precision);

/// Packed weights, in the order in which threads pass them to the tensor cores, then the bias as floats. Precision:
/// any but fp32.
std::size_t conv_patch_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_patch_pack(const ConvGeometry& g, Precision precision, const float* weight, const float* bias,
                     std::byte* packed);

/// Launches on the current device. `output_alignment`: alignment in bytes of every pixel of the output slice. Throws
/// Error for a tile that conv_patch_tiles does not list, and on CUDA errors.
void conv_patch_launch(const ConvGeometry& g, Precision precision, const PatchTile& tile, int output_alignment,
                       const void* input, void* output, const void* packed, cudaStream_t stream,
                       const LaunchStyle& style = {}, const ConvResidual& residual = {});

}  // namespace opsched

// Our convolution for large problems on the tensor cores of sm_90 (NHWC).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// A block computes `rows` output channels of `columns` pixels. It reads `depth` x 32 bytes of a pixel's channels at a
/// time. `blocks` blocks share a multiprocessor.
struct WgmmaTile {
  int rows = 0, columns = 0, blocks = 1, depth = 0;
  bool operator==(const WgmmaTile&) const = default;
};

/// Tiles for this problem; empty if the kernel does not support it. It needs stride 1, nothing before the convolution,
/// none or relu after it, and pixels of the input slice that are aligned to 16 bytes.
std::vector<WgmmaTile> conv_wgmma_tiles(const ConvGeometry& g, Precision precision);

/// Number of output tiles, which are shared out over the blocks.
std::int64_t conv_wgmma_tile_count(const ConvGeometry& g, const WgmmaTile& tile);

/// Packed weights: [part of the channels][tap][16 bytes of channels][channel out, padded][element], then the bias as
/// floats. They depend on the tile's depth only. In tf32x3, behind each tap's weights, each rounded to tf32, is what
/// the rounding cut off.
std::size_t conv_wgmma_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_wgmma_pack(const ConvGeometry& g, Precision precision, const WgmmaTile& tile, const ConvWeights& weights,
                     std::byte* packed);

/// Launches on the current device (sm_90). `output_alignment`: alignment in bytes of every pixel of the output slice.
/// Throws Error on CUDA errors.
void conv_wgmma_launch(const ConvGeometry& g, Precision precision, const WgmmaTile& tile, int output_alignment,
                       const void* input, void* output, const void* packed, cudaStream_t stream,
                       const ConvResidual& residual = {});

}  // namespace opsched

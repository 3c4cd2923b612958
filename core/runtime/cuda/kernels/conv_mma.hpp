// Own tf32 and fp16 convolution for small problems (NHWC, on the matrix units).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// Tiles that the kernel was compiled for, splits left at 1; `affine`: behind an affine layer.
std::vector<ConvTile> conv_mma_tiles(bool affine);
/// Splits that make sense for this problem on a GPU with so many multiprocessors.
std::vector<int> conv_mma_splits(const ConvGeometry& g, const ConvTile& tile, Precision precision, int multiprocessors,
                                 bool clusters);
/// Bytes that every pixel of the input slice must be a multiple of apart and aligned to: at least 4.
constexpr int kConvMmaAlignment = 4;
/// The same behind an affine layer.
constexpr int kConvMmaAffineAlignment = 16;

/// Packed weights: [step][channel out, padded][64 bytes of input channels], then the bias as floats, padded; then
/// factor and bias of each input channel, of an affine layer.
/// Precision: tf32 or fp16.
std::size_t conv_mma_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_mma_pack(const ConvGeometry& g, Precision precision, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. `input_alignment`, `output_alignment`: bytes that every pixel of
/// the slices is aligned to (input: 4, 8 or 16). Throws Error where CUDA refuses.
void conv_mma_launch(const ConvGeometry& g, Precision precision, const ConvTile& tile, int input_alignment,
                     int output_alignment, const void* input, void* output, const void* packed, cudaStream_t stream);

}  // namespace opsched

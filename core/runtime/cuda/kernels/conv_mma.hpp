// Our convolution for small problems on the tensor cores (NHWC).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "core/graph/weights.hpp"
#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"

namespace opsched {

/// Compiled tiles, with splits left at 1; `affine`: with a fused preceding affine layer.
std::vector<ConvTile> conv_mma_tiles(bool affine);
/// Useful splits for this problem on a GPU with this many multiprocessors.
std::vector<int> conv_mma_splits(const ConvGeometry& g, const ConvTile& tile, Precision precision, int multiprocessors,
                                 bool clusters);
/// Required alignment and spacing in bytes of every pixel of the input slice: at least 4.
constexpr int kConvMmaAlignment = 4;
/// The same with a fused affine layer or a residual; there is no kernel with both.
constexpr int kConvMmaFusedAlignment = 16;

/// Packed weights: [step][channel out, padded][64 bytes of input channels], then the bias as floats, padded; then,
/// with an affine layer, factor and bias of each input channel. Precision: any but fp32.
std::size_t conv_mma_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_mma_pack(const ConvGeometry& g, Precision precision, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. `input_alignment`, `output_alignment`: alignment in bytes of every pixel of the
/// slices (input: 4, 8 or 16). Throws Error on CUDA errors.
void conv_mma_launch(const ConvGeometry& g, Precision precision, const ConvTile& tile, int input_alignment,
                     int output_alignment, const void* input, void* output, const void* packed, cudaStream_t stream,
                     const LaunchStyle& style = {}, const ConvResidual& residual = {});

}  // namespace opsched

// Our convolution of single pixels: a matrix times a vector, as in fully connected layers and gates.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "core/graph/weights.hpp"
#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"

namespace opsched {

/// A 1x1 convolution of 1x1 images; sums in fp32, in tf32, too. NCHW or NHWC: both have the channels side by side.
bool conv_gemv_supports(const ConvGeometry& g);

/// Packed weights: [channel out][channel in, padded to 16 bytes], elements as the tensors'; then the bias as floats.
std::size_t conv_gemv_weight_bytes(const ConvGeometry& g, Precision precision);
void conv_gemv_pack(const ConvGeometry& g, Precision precision, const ConvWeights& weights, std::byte* packed);

/// Launches on the current device. `aligned`: every image of the input begins at a multiple of 16 bytes. Throws Error
/// on CUDA errors.
void conv_gemv_launch(const ConvGeometry& g, Precision precision, bool aligned, const void* input, void* output,
                      const void* packed, cudaStream_t stream);

}  // namespace opsched

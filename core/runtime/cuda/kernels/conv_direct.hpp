// Our general convolution for everything the others do not support, such as any alignment. Plain loops; sums in fp32.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/tensor_format.hpp"

namespace opsched {

/// Its activation may be any.
struct DirectConv {
  ConvGeometry geometry;
  TensorFormat layout = TensorFormat::nchw;
  bool half = false;  ///< NHWC only
};

/// Packed weights: [r][s][channel in of a group][channel out], elements as the tensors', then the bias as floats.
std::size_t conv_direct_weight_bytes(const DirectConv& conv);
void conv_direct_pack(const DirectConv& conv, const float* weight, const float* bias, std::byte* packed);

/// Launches on the current device. Throws Error where CUDA refuses.
void conv_direct_launch(const DirectConv& conv, const void* input, void* output, const void* packed,
                        cudaStream_t stream);

}  // namespace opsched

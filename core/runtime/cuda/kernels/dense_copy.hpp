// Copies between a caller's dense tensors and slices of a program's buffers.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/graph/operator.hpp"

namespace opsched {

/// A slice of a buffer, in elements.
struct DenseSlice {
  void* data = nullptr;
  bool half = false;  ///< __half, else float
  int batch = 1;
  Shape shape;                              ///< of an image of the slice
  std::int64_t n = 0, c = 0, h = 0, w = 0;  ///< from one image, channel, row, pixel to the next
};

/// Enqueues `slice` = `dense`, or the reverse, on a stream of the current device, which must be able to access both.
/// `dense`: float32, batch x channels x height x width. Throws Error on CUDA errors.
void enqueue_from_dense(const float* dense, const DenseSlice& slice, cudaStream_t stream);
void enqueue_to_dense(const DenseSlice& slice, float* dense, cudaStream_t stream);

}  // namespace opsched

#include <cuda_fp16.h>

#include <algorithm>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/dense_copy.hpp"

namespace opsched {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 4096;  // threads loop over the rest

__device__ std::int64_t place(const DenseSlice& s, std::int64_t i) {
  const std::int64_t x = i % s.shape.w, row = i / s.shape.w;
  const std::int64_t y = row % s.shape.h, plane = row / s.shape.h;
  return plane / s.shape.c * s.n + plane % s.shape.c * s.c + y * s.h + x * s.w;
}

/// Threads follow the dense tensor, so that it is read or written in whole cache lines.
template <class T, bool to_dense>
__global__ void dense_copy_kernel(const __grid_constant__ DenseSlice slice, float* dense, std::int64_t total) {
  T* const data = static_cast<T*>(slice.data);
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < total;
       i += std::int64_t{gridDim.x} * kThreads) {
    if constexpr (to_dense)
      dense[i] = static_cast<float>(data[place(slice, i)]);
    else
      data[place(slice, i)] = static_cast<T>(dense[i]);
  }
}

template <bool to_dense>
void enqueue_dense_copy(const DenseSlice& slice, float* dense, cudaStream_t stream) {
  const std::int64_t total = slice.batch * slice.shape.size();
  const auto blocks = static_cast<unsigned>(std::min((total + kThreads - 1) / kThreads, kMostBlocks));
  if (slice.half)
    dense_copy_kernel<__half, to_dense><<<blocks, kThreads, 0, stream>>>(slice, dense, total);
  else
    dense_copy_kernel<float, to_dense><<<blocks, kThreads, 0, stream>>>(slice, dense, total);
  OPSCHED_CUDA(cudaGetLastError());
}

}  // namespace

void enqueue_from_dense(const float* dense, const DenseSlice& slice, cudaStream_t stream) {
  enqueue_dense_copy<false>(slice, const_cast<float*>(dense), stream);  // read only
}

void enqueue_to_dense(const DenseSlice& slice, float* dense, cudaStream_t stream) {
  enqueue_dense_copy<true>(slice, dense, stream);
}

}  // namespace opsched

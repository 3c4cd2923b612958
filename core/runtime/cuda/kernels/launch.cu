#include "core/runtime/cuda/kernels/launch.cuh"

#include <algorithm>

#include "core/runtime/cuda/device/cuda_handles.hpp"

namespace opsched::native {
namespace {

std::int64_t blocks_of(const Grid& grid) { return std::int64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z; }

/// Blocks that a multiprocessor holds if nothing but the kernel's own needs limits them.
int resident_blocks(const void* kernel, const Grid& grid) {
  int resident = 0;
  const unsigned threads = grid.threads.x * grid.threads.y * grid.threads.z;
  OPSCHED_CUDA(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, static_cast<int>(threads), grid.shared_bytes));
  return resident;
}

std::size_t static_shared_bytes(const void* kernel) {
  cudaFuncAttributes attributes{};
  OPSCHED_CUDA(cudaFuncGetAttributes(&attributes, kernel));
  return attributes.sharedSizeBytes;
}

}  // namespace

bool overlaps_launches() { return device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9; }

bool has_clusters() { return device_attribute(cudaDevAttrClusterLaunch) != 0; }

void allow_all_shared_memory(const void* kernel) {
  const int bytes = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  OPSCHED_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    bytes - static_cast<int>(static_shared_bytes(kernel))));
}

std::size_t styled_shared_bytes(const void* kernel, const Grid& grid) {
  if (grid.style.spread < 0) return grid.shared_bytes;
  const std::int64_t multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount);
  const std::int64_t most = (blocks_of(grid) + multiprocessors - 1) / multiprocessors + grid.style.spread;
  if (resident_blocks(kernel, grid) <= most) return grid.shared_bytes;
  const SharedMemory gpu{
      .multiprocessor = static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor)),
      .reserved = static_cast<std::size_t>(device_attribute(cudaDevAttrReservedSharedMemoryPerBlock)),
      .block = static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin))};
  return std::max(grid.shared_bytes,
                  shared_bytes_for_at_most(static_cast<int>(most), gpu, static_shared_bytes(kernel)));
}

int blocks_at_once(const void* kernel, const Grid& grid) {
  return resident_blocks(kernel, grid) * device_attribute(cudaDevAttrMultiProcessorCount);
}

bool runs_at_once(const void* kernel, const Grid& grid) { return blocks_of(grid) <= blocks_at_once(kernel, grid); }

}  // namespace opsched::native

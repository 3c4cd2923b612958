#include "core/runtime/cuda/launch.cuh"

namespace opsched::native {

bool overlaps_launches() {
  int device = 0, major = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  return major >= 9;
}

bool runs_at_once(const void* kernel, const Grid& grid) {
  int device = 0, multiprocessors = 0, resident = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const unsigned threads = grid.threads.x * grid.threads.y * grid.threads.z;
  OPSCHED_CUDA(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, static_cast<int>(threads), grid.shared_bytes));
  return std::int64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z <= std::int64_t{resident} * multiprocessors;
}

}  // namespace opsched::native

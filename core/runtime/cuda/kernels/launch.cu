#include "core/runtime/cuda/kernels/launch.cuh"

#include "core/runtime/cuda/device/cuda_handles.hpp"

namespace opsched::native {

bool overlaps_launches() { return device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9; }

bool runs_at_once(const void* kernel, const Grid& grid) {
  int resident = 0;
  const unsigned threads = grid.threads.x * grid.threads.y * grid.threads.z;
  OPSCHED_CUDA(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, static_cast<int>(threads), grid.shared_bytes));
  return std::int64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z <=
         std::int64_t{resident} * device_attribute(cudaDevAttrMultiProcessorCount);
}

}  // namespace opsched::native

#include "core/runtime/cuda/launch.cuh"

namespace opsched::native {

bool overlaps_launches() {
  int device = 0, major = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  return major >= 9;
}

}  // namespace opsched::native

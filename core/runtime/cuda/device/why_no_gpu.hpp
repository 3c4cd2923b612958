// Explains why a host has no GPU to run on, or none that this build can use.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace opsched {

/// `status`: of cudaGetDeviceCount; success if it counted none. `visible_devices`: CUDA_VISIBLE_DEVICES, null if it
/// is not set. `mig`: MIG is on for a GPU of the host.
std::string why_no_gpu(cudaError_t status, const char* visible_devices, bool mig);

/// Empty if kernels built for `architectures` (CMAKE_CUDA_ARCHITECTURES, "80-real 90") run on a GPU with this compute
/// capability (times ten, 86). Machine code runs on the same major version from its minor version on; PTX ("90",
/// "90-virtual") runs on all later GPUs. Lists with other words ("native", "all", "90a") are not evaluated.
std::string why_no_kernels(const std::string& architectures, int compute_capability);

}  // namespace opsched

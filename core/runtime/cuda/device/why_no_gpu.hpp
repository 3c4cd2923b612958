// In words, why a host has no GPU to run on.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace opsched {

/// `status`: of cudaGetDeviceCount; success if it counted none. `visible_devices`: CUDA_VISIBLE_DEVICES, null if it
/// is not set. `mig`: MIG is on for a GPU of the host.
std::string why_no_gpu(cudaError_t status, const char* visible_devices, bool mig);

}  // namespace opsched

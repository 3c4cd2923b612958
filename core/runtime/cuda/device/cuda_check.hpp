// CUDA errors as exceptions.
#pragma once

#include <cuda_runtime_api.h>

namespace opsched {

/// Throws Error with the call and CUDA's message unless `status` is success; DeviceLost for errors after
/// which CUDA refuses all further work.
void cuda_check(cudaError_t status, const char* call);

}  // namespace opsched

/// OPSCHED_CUDA(cudaMalloc(&p, n)): cuda_check with the call's own text.
#define OPSCHED_CUDA(call) ::opsched::cuda_check((call), #call)

// CUDA errors as exceptions. Every call and launch is checked here or with cuda_failed().
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace opsched {

/// Errors of a kernel or of the hardware ("sticky") after which every CUDA call in this process fails.
bool is_sticky(cudaError_t status);

/// Throws DeviceLost if `status` is sticky or CUDA rejects further work, and Error otherwise. `what` says what failed
/// and why. Libraries on top of CUDA do not pass on its errors, so they omit `status`.
[[noreturn]] void cuda_failed(const std::string& what, cudaError_t status = cudaSuccess);

/// cuda_failed() with the call and CUDA's message unless `status` is success.
void cuda_check(cudaError_t status, const char* call);

}  // namespace opsched

/// OPSCHED_CUDA(cudaMalloc(&p, n)): cuda_check with the call's own text.
#define OPSCHED_CUDA(call) ::opsched::cuda_check((call), #call)

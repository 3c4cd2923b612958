// CUDA errors as exceptions. Every call and launch is checked here or through cuda_failed().
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace opsched {

/// Errors of a kernel or of the hardware ("sticky"): the process cannot use CUDA any more, every later call fails too.
bool is_sticky(cudaError_t status);

/// Throws for something that went wrong: DeviceLost if `status` is sticky or CUDA refuses further work, else Error.
/// `what` says what failed and why. Libraries above CUDA do not pass its errors on: they leave `status` out.
[[noreturn]] void cuda_failed(const std::string& what, cudaError_t status = cudaSuccess);

/// cuda_failed() with the call and CUDA's message unless `status` is success.
void cuda_check(cudaError_t status, const char* call);

}  // namespace opsched

/// OPSCHED_CUDA(cudaMalloc(&p, n)): cuda_check with the call's own text.
#define OPSCHED_CUDA(call) ::opsched::cuda_check((call), #call)

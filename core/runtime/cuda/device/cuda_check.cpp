#include "core/runtime/cuda/device/cuda_check.hpp"

#include <algorithm>
#include <iterator>

#include "core/error.hpp"

namespace opsched {
namespace {

// Errors after which the process must end according to the CUDA runtime reference, and errors of lost hardware.
constexpr cudaError_t kSticky[] = {
    cudaErrorIllegalAddress,     cudaErrorLaunchTimeout,       cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,   cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,          cudaErrorLaunchFailure,       cudaErrorAssert,
    cudaErrorECCUncorrectable,   cudaErrorNvlinkUncorrectable, cudaErrorContextIsDestroyed,
    cudaErrorDevicesUnavailable, cudaErrorExternalDevice,      cudaErrorMpsClientTerminated};

}  // namespace

bool is_sticky(cudaError_t status) { return std::ranges::find(kSticky, status) != std::ranges::end(kSticky); }

void cuda_failed(const std::string& what, cudaError_t status) {
  cudaGetLastError();  // a non-sticky error must not surface again in a later, innocent call
  // A call without effect that is also allowed during stream capture. After a sticky error it fails with that error.
  const cudaError_t now = cudaFree(nullptr);
  if (!is_sticky(status) && !is_sticky(now)) throw Error(what);
  int gpu = -1;
  cudaGetDevice(&gpu);
  std::string message = "GPU " + std::to_string(gpu) + " failed, or another one while it was in use: " + what;
  if (!is_sticky(status)) message += std::string(" (CUDA: ") + cudaGetErrorString(now) + ")";
  throw DeviceLost(message + "; look at nvidia-smi and dmesg");
}

void cuda_check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) cuda_failed(std::string("CUDA: ") + call + ": " + cudaGetErrorString(status), status);
}

}  // namespace opsched

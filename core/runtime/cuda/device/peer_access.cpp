#include "core/runtime/cuda/device/peer_access.hpp"

#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched {

std::string connect_peers(std::span<DeviceContext* const> devices) {
  for (const DeviceContext* from : devices) {
    for (const DeviceContext* to : devices) {
      if (from->gpu() == to->gpu()) continue;
      int possible = 0;
      OPSCHED_CUDA(cudaDeviceCanAccessPeer(&possible, from->gpu(), to->gpu()));
      if (!possible)
        return "GPU " + std::to_string(from->gpu()) + " cannot access the memory of GPU " + std::to_string(to->gpu());
      from->activate();
      const cudaError_t status = cudaDeviceEnablePeerAccess(to->gpu(), 0);
      if (status == cudaErrorPeerAccessAlreadyEnabled)
        (void)cudaGetLastError();
      else
        cuda_check(status, "cudaDeviceEnablePeerAccess");
    }
  }
  return {};
}

}  // namespace opsched

#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/device/clock_monitor.hpp"

namespace opsched {
namespace {

std::string dotted(int version, int major_step, int minor_step) {
  return std::to_string(version / major_step) + "." + std::to_string(version % major_step / minor_step);
}

/// Of the library that is loaded, which may be newer than the headers.
std::string cudnn_version() {
  const auto version = static_cast<int>(cudnnGetVersion());
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

}  // namespace

std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    (void)cudaGetLastError();  // no driver, no GPU: not an error here
    return {};
  }
  int runtime = 0;
  (void)cudaRuntimeGetVersion(&runtime);
  const std::string driver = driver_version();
  std::vector<CudaDevice> devices;
  for (int id = 0; id < count; ++id) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, id) != cudaSuccess) continue;
    devices.push_back({.id = id,
                       .name = properties.name,
                       .compute_capability = properties.major * 10 + properties.minor,
                       .multiprocessors = properties.multiProcessorCount,
                       .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
                       .l2_bytes = properties.l2CacheSize,
                       .driver = driver,
                       .cuda = dotted(runtime, 1000, 10),
                       .cudnn = cudnn_version()});
  }
  return devices;
}

}  // namespace opsched

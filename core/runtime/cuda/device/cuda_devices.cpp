#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/device/clock_monitor.hpp"
#include "core/runtime/cuda/device/nvml_library.hpp"
#include "core/runtime/cuda/device/why_no_gpu.hpp"

namespace opsched {
namespace {

std::string dotted(int version, int major_step, int minor_step) {
  return std::to_string(version / major_step) + "." + std::to_string(version % major_step / minor_step);
}

/// The version of the loaded library, which may be newer than the headers.
std::string cudnn_version() {
  const auto version = static_cast<int>(cudnnGetVersion());
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

/// Is MIG enabled on a GPU of this host? Such a GPU is not visible as a whole.
bool any_mig() {
  const NvmlLibrary nvml;
  unsigned count = 0;
  if (!nvml || nvml.call<int(unsigned*)>("nvmlDeviceGetCount_v2", 1, &count) != NvmlLibrary::kSuccess) return false;
  for (unsigned i = 0; i < count; ++i) {
    NvmlDevice device = nullptr;
    unsigned current = 0, pending = 0;
    if (nvml.call<int(unsigned, NvmlDevice*)>("nvmlDeviceGetHandleByIndex_v2", 1, i, &device) ==
            NvmlLibrary::kSuccess &&
        nvml.call<int(NvmlDevice, unsigned*, unsigned*)>("nvmlDeviceGetMigMode", 1, device, &current, &pending) ==
            NvmlLibrary::kSuccess &&
        current == 1)
      return true;
  }
  return false;
}

}  // namespace

std::string why_no_gpu(cudaError_t status, const char* visible_devices, bool mig) {
  std::string reason = status == cudaSuccess ? "CUDA finds none" : cudaGetErrorString(status);
  if (status != cudaSuccess && status != cudaErrorNoDevice) return reason;
  if (visible_devices && *visible_devices == '\0')
    return reason + "; CUDA_VISIBLE_DEVICES is empty, which hides them all";
  if (visible_devices) reason += std::string("; CUDA_VISIBLE_DEVICES is '") + visible_devices + "'";
  if (mig) reason += "; MIG is on: make a GPU instance with a compute instance (nvidia-smi mig), or turn MIG off";
  return reason;
}

std::string why_no_kernels(const std::string& architectures, int compute_capability) {
  std::istringstream list(architectures);
  for (std::string one; list >> one;) {
    const std::size_t digits = std::min(one.find_first_not_of("0123456789"), one.size());
    const std::string rest = one.substr(digits);
    if (digits == 0 || (!rest.empty() && rest != "-real" && rest != "-virtual")) return "";
    const int built_for = std::stoi(one.substr(0, digits));
    const bool same_major = built_for / 10 == compute_capability / 10;
    if (built_for <= compute_capability && (same_major || rest != "-real")) return "";
  }
  return "its compute capability is " + dotted(compute_capability, 10, 1) + ", this build's kernels are for " +
         architectures + "; build again on a host with this GPU, or with -DCMAKE_CUDA_ARCHITECTURES=" +
         std::to_string(compute_capability) + " (OPSCHED_CMAKE_ARGS for ./opsched)";
}

namespace {

std::string in_hex(const cudaUUID_t& uuid) {
  std::string text;
  for (const char byte : uuid.bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += {"0123456789abcdef"[value / 16], "0123456789abcdef"[value % 16]};
  }
  return text;
}

}  // namespace

CudaDevices cuda_devices() {
  CudaDevices found;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    (void)cudaGetLastError();  // a missing driver or GPU is not an error here
    found.reason = why_no_gpu(status, std::getenv("CUDA_VISIBLE_DEVICES"), any_mig());
    return found;
  }
  int runtime = 0;
  (void)cudaRuntimeGetVersion(&runtime);
  const std::string driver = driver_version();
  for (int id = 0; id < count; ++id) {
    cudaDeviceProp properties{};
    const cudaError_t asked = cudaGetDeviceProperties(&properties, id);
    const int capability = properties.major * 10 + properties.minor;
    const std::string broken =
        asked != cudaSuccess ? cudaGetErrorString(asked) : why_no_kernels(OPSCHED_CUDA_ARCHITECTURES, capability);
    if (!broken.empty()) {
      (void)cudaGetLastError();
      found.reason += (found.reason.empty() ? "GPU " : "; GPU ") + std::to_string(id) + ": " + broken;
      continue;
    }
    found.usable.push_back({.id = id,
                            .name = properties.name,
                            .uuid = in_hex(properties.uuid),
                            .compute_capability = capability,
                            .multiprocessors = properties.multiProcessorCount,
                            .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
                            .l2_bytes = properties.l2CacheSize,
                            .driver = driver,
                            .cuda = dotted(runtime, 1000, 10),
                            .cudnn = cudnn_version()});
  }
  if (!found.usable.empty()) found.reason.clear();
  return found;
}

}  // namespace opsched

#include "core/runtime/cuda/device_context.hpp"

#include <chrono>
#include <vector>

namespace opsched {
namespace {

std::string bus_id(int gpu) {
  char text[32] = "";
  cuda_check(cudaDeviceGetPCIBusId(text, sizeof text, gpu), "cudaDeviceGetPCIBusId");
  return text;
}

}  // namespace

DeviceContext::DeviceContext(int gpu, Precision precision, const std::string& cache_dir)
    : gpu_(gpu), kernels_(gpu, precision, cache_dir), clocks_(bus_id(gpu)) {}

void DeviceContext::activate() const { cuda_check(cudaSetDevice(gpu_), "cudaSetDevice"); }

cudaStream_t DeviceContext::stream(int index) {
  activate();
  while (static_cast<int>(streams_.size()) <= index) streams_.emplace_back();
  return streams_[index].get();
}

void* DeviceContext::scratch(std::size_t bytes) {
  if (bytes > scratch_.size()) {
    activate();
    scratch_ = DeviceBuffer();
    scratch_ = DeviceBuffer(bytes);
  }
  return scratch_.data();
}

void DeviceContext::warm_up() {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  constexpr auto kTime = std::chrono::milliseconds(100);
  void* memory = scratch(kBytes);
  const auto start = Clock::now();
  do {
    for (int i = 0; i < 100; ++i) cuda_check(cudaMemsetAsync(memory, 0, kBytes, stream(0)), "cudaMemsetAsync");
    cuda_check(cudaStreamSynchronize(stream(0)), "warm-up");
  } while (Clock::now() - start < kTime);
}

}  // namespace opsched

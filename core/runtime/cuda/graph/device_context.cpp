#include "core/runtime/cuda/graph/device_context.hpp"

#include <cuda_fp16.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {
namespace {

constexpr std::size_t kPoolBytes = std::size_t{256} << 20;  // several times the L2 cache of any GPU
constexpr float kScale = 0.05f;                             // keeps half-precision sums finite

std::string bus_id(int gpu) {
  char text[32] = "";
  OPSCHED_CUDA(cudaDeviceGetPCIBusId(text, sizeof text, gpu));
  return text;
}

}  // namespace

DeviceContext::DeviceContext(int gpu, Precision precision, const std::string& cache_file,
                             const KernelLibrary::Report& report)
    : gpu_(gpu), precision_(precision), kernels_(gpu, cache_file, report), clocks_(bus_id(gpu)) {}

void DeviceContext::activate() const { OPSCHED_CUDA(cudaSetDevice(gpu_)); }

cudaStream_t DeviceContext::stream(int index) {
  activate();
  while (static_cast<int>(streams_.size()) <= index) streams_.push_back(make_stream());
  return streams_[index].get();
}

DeviceBuffer DeviceContext::random_memory(std::size_t bytes) const {
  activate();
  constexpr std::size_t kTile = std::size_t{4} << 20;
  const Tensor values = random_tensor(1, {static_cast<int>(kTile / sizeof(float)), 1, 1}, 1);
  std::vector<std::byte> tile(kTile);
  if (precision_ == Precision::fp16) {
    auto* halves = reinterpret_cast<__half*>(tile.data());
    for (std::size_t i = 0; i < kTile / sizeof(__half); ++i) halves[i] = __float2half(kScale * values.data[i / 2]);
  } else {
    auto* floats = reinterpret_cast<float*>(tile.data());
    for (std::size_t i = 0; i < values.data.size(); ++i) floats[i] = kScale * values.data[i];
  }
  DeviceBuffer memory(bytes);
  for (std::size_t at = 0; at < bytes; at += kTile)
    OPSCHED_CUDA(cudaMemcpy(memory.data() + at, tile.data(), std::min(kTile, bytes - at), cudaMemcpyHostToDevice));
  return memory;
}

void* DeviceContext::scratch(std::size_t bytes) {
  if (bytes > scratch_.bytes()) {
    activate();
    OPSCHED_CUDA(cudaDeviceSynchronize());  // programs in flight still use it
    scratch_ = DeviceBuffer();
    scratch_ = random_memory(std::max(bytes, kPoolBytes));
  }
  return scratch_.data();
}

const void* DeviceContext::next_weights(std::size_t bytes) {
  if (bytes > weight_pool_.bytes()) {
    activate();
    OPSCHED_CUDA(cudaDeviceSynchronize());
    weight_pool_ = DeviceBuffer();
    weight_pool_ = random_memory(std::max(2 * bytes, kPoolBytes));
  }
  if (weight_cursor_ + bytes > weight_pool_.bytes()) weight_cursor_ = 0;
  const void* weights = weight_pool_.data() + weight_cursor_;
  weight_cursor_ += (bytes + 255) / 256 * 256;
  return weights;
}

void DeviceContext::pass_through_cache(std::size_t weights, std::size_t activations) {
  if (traffic_.bytes() == 0) {
    activate();
    traffic_ = DeviceBuffer(kPoolBytes / 2);
  }
  OPSCHED_CUDA(cudaMemsetAsync(traffic_.data(), 0, std::min(weights, traffic_.bytes()), stream(0)));
  const std::size_t read = std::min({activations, scratch_.bytes(), traffic_.bytes()});
  OPSCHED_CUDA(cudaMemcpyAsync(traffic_.data(), scratch_.data(), read, cudaMemcpyDeviceToDevice, stream(0)));
}

void DeviceContext::warm_up() {
  using Clock = std::chrono::steady_clock;
  constexpr auto kTime = std::chrono::milliseconds(100);
  char* memory = static_cast<char*>(scratch(kPoolBytes));
  const auto start = Clock::now();
  do {
    for (int i = 0; i < 100; ++i)
      OPSCHED_CUDA(
          cudaMemcpyAsync(memory + kPoolBytes / 2, memory, kPoolBytes / 2, cudaMemcpyDeviceToDevice, stream(0)));
    OPSCHED_CUDA(cudaStreamSynchronize(stream(0)));
  } while (Clock::now() - start < kTime);
}

}  // namespace opsched

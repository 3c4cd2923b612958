// State shared by all programs on one GPU.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/cuda/device/clock_monitor.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"

namespace opsched {

class DeviceContext {
 public:
  /// `report`: see KernelLibrary.
  DeviceContext(int gpu, Precision precision, const std::string& cache_file, const KernelLibrary::Report& report = {});

  int gpu() const { return gpu_; }
  /// Makes the GPU the thread's current device.
  void activate() const;
  KernelLibrary& kernels() { return kernels_; }
  ClockMonitor& clocks() { return clocks_; }
  /// Stream `index` of this GPU, made on first use.
  cudaStream_t stream(int index);
  /// Scratch memory for short-lived programs, filled with small random numbers of the precision. Grows as needed; used
  /// by one program at a time.
  void* scratch(std::size_t bytes);
  /// Random weights at the next position of a pool larger than the L2 cache, for timing. A kernel that reads the same
  /// weights from the cache every time would seem faster than in a network.
  const void* next_weights(std::size_t bytes);
  /// Enqueues on stream 0 what happens in a network between two uses of the same weights: `weights` bytes of other
  /// data pass through the L2 cache, then the first `activations` bytes of the scratch memory are read into it.
  void pass_through_cache(std::size_t weights, std::size_t activations);
  /// Keeps the GPU busy for a while, so that its clocks rise before a measurement.
  void warm_up();

 private:
  DeviceBuffer random_memory(std::size_t bytes) const;

  int gpu_;
  Precision precision_;
  KernelLibrary kernels_;
  ClockMonitor clocks_;
  std::vector<Stream> streams_;
  DeviceBuffer scratch_, weight_pool_, traffic_;
  std::size_t weight_cursor_ = 0;
};

}  // namespace opsched

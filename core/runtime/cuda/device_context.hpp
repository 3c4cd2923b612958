// What all programs on one GPU share.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/cuda/clock_monitor.hpp"
#include "core/runtime/cuda/cuda_handles.hpp"
#include "core/runtime/cuda/kernels.hpp"

namespace opsched {

class DeviceContext {
 public:
  DeviceContext(int gpu, Precision precision, const std::string& cache_dir);

  int gpu() const { return gpu_; }
  /// Makes the GPU the thread's current device.
  void activate() const;
  KernelLibrary& kernels() { return kernels_; }
  ClockMonitor& clocks() { return clocks_; }
  /// Stream `index` of this GPU, made on first use.
  cudaStream_t stream(int index);
  /// Memory for short-lived programs, grown as needed; one program at a time.
  void* scratch(std::size_t bytes);
  /// Runs the GPU for a while, so that its clocks have risen before something is measured.
  void warm_up();

 private:
  int gpu_;
  KernelLibrary kernels_;
  ClockMonitor clocks_;
  std::vector<Stream> streams_;
  DeviceBuffer scratch_;
};

}  // namespace opsched

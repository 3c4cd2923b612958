// Copies between GPUs, as nodes of a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace opsched {

/// `rows` pieces of `width` bytes, `pitch` bytes apart, on any GPUs that can access each other's memory.
struct PeerCopy {
  void* target = nullptr;
  const void* source = nullptr;
  std::size_t rows = 1, width = 0, target_pitch = 0, source_pitch = 0;
  std::size_t bytes() const { return rows * width; }
};

/// Copy engine, or a kernel on the stream's GPU that reads the other's memory.
enum class CopyMethod { engine, kernel };

/// How tensors travel between the GPUs of a schedule.
struct CopyRoute {
  bool through_host = false;  ///< through pinned host memory, if some GPUs cannot access each other's memory
  /// Range of sizes in bytes for which the kernel is faster: it starts sooner, but the copy engine has the higher
  /// bandwidth. Measured by transfer_timer.hpp; without measurements, the kernel copies small tensors.
  std::size_t kernel_from = 0, kernel_limit = std::size_t{1} << 20;

  CopyMethod method(std::size_t bytes) const {
    return bytes >= kernel_from && bytes <= kernel_limit ? CopyMethod::kernel : CopyMethod::engine;
  }
};

/// Enqueues the copy on a stream of the current device. Throws Error on CUDA errors.
void enqueue_copy(const PeerCopy& copy, CopyMethod method, cudaStream_t stream);

struct StreamOfGpu {
  int gpu;
  cudaStream_t stream;
};

/// Enqueues the copy in two steps, from the source's GPU to `staging` (pinned, bytes() long) and from there to the
/// destination. It starts when `to` reaches it; `from` may be any stream of the source's GPU.
void enqueue_copy_through_host(const PeerCopy& copy, void* staging, const StreamOfGpu& from, const StreamOfGpu& to);

}  // namespace opsched

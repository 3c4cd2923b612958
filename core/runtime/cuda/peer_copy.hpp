// Copies between GPUs, as nodes of a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace opsched {

/// `rows` pieces of `width` bytes, `pitch` bytes apart; on any GPUs that can access each other.
struct PeerCopy {
  void* target = nullptr;
  const void* source = nullptr;
  std::size_t rows = 1, width = 0, target_pitch = 0, source_pitch = 0;
  std::size_t bytes() const { return rows * width; }
};

/// Copy engine, or a kernel on the stream's GPU that reads the other's memory.
enum class CopyMethod { engine, kernel };

/// The faster one at this size on GPUs joined by NVLink: the kernel starts sooner, the engine does not
/// occupy multiprocessors. Measured on H200s (results/h200-x2): they meet at about 1 MiB.
CopyMethod best_copy_method(std::size_t bytes);

/// Enqueues the copy on a stream of the current device. Throws Error where CUDA refuses.
void enqueue_copy(const PeerCopy& copy, CopyMethod method, cudaStream_t stream);

}  // namespace opsched

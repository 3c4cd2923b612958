// How a kernel starts, and how closely its blocks are packed; independent of what it computes. No CUDA headers.
#pragma once

#include <cstddef>

namespace opsched {

/// By default a kernel starts early (launch.cuh), and its blocks go to the multiprocessors that have room. They can
/// crowd there, while other multiprocessors soon become free.
struct LaunchStyle {
  /// A multiprocessor holds at most this many blocks more than an even spread needs; negative: as many as fit.
  /// Blocks of a cluster must be close together, so with 0 not all clusters may find room at once.
  int spread = -1;
  /// Starts after its predecessor on the stream has ended.
  bool late = false;
  bool operator==(const LaunchStyle&) const = default;
};

/// Shared memory of a GPU, bytes.
struct SharedMemory {
  std::size_t multiprocessor = 0;  ///< of a multiprocessor
  std::size_t reserved = 0;        ///< that CUDA takes of it for each block
  std::size_t block = 0;           ///< that a block may ask for, static and dynamic
};

/// The least dynamic shared memory with which a multiprocessor holds no more than `most` blocks, but not more than a
/// block may ask for. The least, because kernels on other streams need room on the same multiprocessor.
constexpr std::size_t shared_bytes_for_at_most(int most, const SharedMemory& gpu, std::size_t static_bytes) {
  constexpr std::size_t kUnit = 128;  // CUDA allocates multiples of it
  const std::size_t too_many = gpu.multiprocessor / (static_cast<std::size_t>(most) + 1) / kUnit * kUnit + kUnit;
  const std::size_t besides = gpu.reserved + static_bytes;
  const std::size_t bytes = too_many > besides ? too_many - besides : 0;
  return bytes + static_bytes < gpu.block ? bytes : gpu.block - static_bytes;
}

}  // namespace opsched

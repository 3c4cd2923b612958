// Latency of moving a tensor between GPUs inside a CUDA graph.
#pragma once

#include <span>

#include "core/cost/profile/profile.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"

namespace opsched {

/// What a copy takes by each method.
struct MethodTimes {
  std::size_t bytes = 0;
  double kernel_ms = 0, engine_ms = 0;
};
/// Bytes from and up to which a kernel copies. None: 0 and 0.
struct KernelRange {
  std::size_t from = 0, limit = 0;
  bool operator==(const KernelRange&) const = default;
};
/// The range of measured sizes (ascending) in which the kernel is faster overall; a single size at which noise makes
/// it slower does not end the range. Starts at 0 if it includes the smallest size.
KernelRange kernel_range(std::span<const MethodTimes> times);

/// Measures every pair of these GPUs at sizes from 4 KiB to 64 MiB, unless the profile already has it: a tensor moves
/// back and forth in one graph, each hop waiting for the previous one. Pairs are recorded by position in `devices`.
/// Returns the route, with the sizes at which kernels copy faster than copy engines (measured between the first two
/// devices, and stored in the profile).
CopyRoute measure_transfers(std::span<DeviceContext* const> devices, bool through_host, Profile& profile);

}  // namespace opsched

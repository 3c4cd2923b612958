// What it costs to move a tensor from GPU to GPU inside a CUDA graph.
#pragma once

#include <span>

#include "core/cost/profile/profile.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"

namespace opsched {

/// Measures every pair of these GPUs at sizes from 4 KiB to 64 MiB, where the profile does not know it
/// yet: a tensor goes back and forth in one graph, each hop waiting for the one before. Pairs are
/// recorded by position in `devices`. Returns the route, with the size up to which kernels copy faster
/// than copy engines (measured between the first two, and kept in the profile).
CopyRoute measure_transfers(std::span<DeviceContext* const> devices, bool through_host, Profile& profile);

}  // namespace opsched

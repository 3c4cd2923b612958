// What it costs to move a tensor from GPU to GPU inside a CUDA graph.
#pragma once

#include <span>

#include "core/cost/profile.hpp"
#include "core/runtime/cuda/device_context.hpp"

namespace opsched {

/// Measures every pair of these GPUs at sizes from 4 KiB to 64 MiB, where the profile does not know it
/// yet: a tensor goes back and forth in one graph, each hop waiting for the one before, with the
/// method that schedules use at this size. Pairs are recorded by position in `devices`.
void measure_transfers(std::span<DeviceContext* const> devices, Profile& profile);

}  // namespace opsched

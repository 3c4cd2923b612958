// Active warps counted by the hardware: CUPTI's sampling of performance monitors.
#pragma once

#include <functional>
#include <vector>

#include "core/runtime/trace/active_warps.hpp"

namespace opsched {

/// Samples `gpu` (CUDA's number) every microsecond while run() runs: warps on a multiprocessor, mean over
/// all of them. run() is to return when the GPU has finished. From the first sample with a warp to the
/// last, which is followed by a sample of 0. Throws Error where CUPTI is too old (before CUDA 12.6) or
/// missing, the driver refuses counters to this user (ERR_NVGPUCTRPERM), or no warp was seen.
std::vector<WarpSample> count_warps(int gpu, const std::function<void()>& run);

}  // namespace opsched

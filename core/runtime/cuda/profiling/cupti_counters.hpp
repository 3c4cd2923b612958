// Active warps from hardware counters: CUPTI PM sampling.
#pragma once

#include <functional>
#include <vector>

#include "core/runtime/trace/active_warps.hpp"

namespace opsched {

/// Samples `gpu` (CUDA device number) every microsecond while run() runs: warps per multiprocessor, averaged over all
/// of them. run() must return when the GPU has finished. The result covers the first to the last sample with a warp,
/// followed by a sample of 0. Throws Error if CUPTI is missing or too old (before CUDA 12.6), if the driver does not
/// permit counters for this user (ERR_NVGPUCTRPERM), or if no warp was seen.
std::vector<WarpSample> count_warps(int gpu, const std::function<void()>& run);

}  // namespace opsched

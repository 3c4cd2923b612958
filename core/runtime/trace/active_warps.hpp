// Active warps over time (IOS, figure 3).
#pragma once

#include <vector>

#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// From `t_ms` until the next sample.
struct WarpSample {
  double t_ms = 0, warps_per_sm = 0;
};

/// Derived from the kernels of a measured trace: during its interval a kernel has on average blocks / waves of its
/// blocks resident, where a wave is the number of blocks that fit on all multiprocessors (blocks_per_sm each).
/// Concurrent kernels add up, to at most max_warps_per_sm. This is the number of warps a kernel can have in flight,
/// not a hardware count. Ends with a sample of 0 at the makespan. Throws Error if no kernel's launch is known (a
/// simulated trace).
std::vector<WarpSample> active_warps(const Trace& trace, int device);

/// Mean over time.
double mean_warps(const std::vector<WarpSample>& samples);

/// The same curve as `count` samples of equal length, each the mean over its interval, placed at the centre.
std::vector<WarpSample> resampled(const std::vector<WarpSample>& samples, int count);

}  // namespace opsched

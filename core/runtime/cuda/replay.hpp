// Times replays of a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

#include "core/runtime/cuda/clock_monitor.hpp"
#include "core/runtime/executor.hpp"

namespace opsched {

/// Latency of one launch of `exec` on `stream` (of the current device), each replay timed by its own
/// pair of events. Replays are queued in bursts, so the host's launch overhead hides behind the
/// replay before; they never overlap. Stops as `options` say; `clocks` may be null.
Measurement time_replays(cudaGraphExec_t exec, cudaStream_t stream, const MeasureOptions& options,
                         ClockMonitor* clocks);

}  // namespace opsched

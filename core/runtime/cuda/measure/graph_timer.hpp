// Times replays of a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "core/runtime/cuda/device/clock_monitor.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

/// Latency of one launch of `exec` on `stream` (of the current device), each replay timed by its own
/// pair of events. Replays are queued in bursts, so the host's launch overhead hides behind the
/// replay before; they never overlap. Stops as `options` say; `clocks` may be null.
Measurement time_replays(cudaGraphExec_t exec, cudaStream_t stream, const MeasureOptions& options,
                         ClockMonitor* clocks);

/// Two graphs in turns on `stream`: a burst of the one, a burst of the other, the next turn the other way
/// round, so that drifting clocks meet both alike.
KernelComparison compare_replays(const std::array<cudaGraphExec_t, 2>& graphs, cudaStream_t stream, int turns);

/// Latencies of several, a burst of each in turn until all are known well. `max_seconds` is for each on average.
std::vector<Measurement> time_in_turn(std::span<const cudaGraphExec_t> execs, cudaStream_t stream,
                                      const MeasureOptions& options);

double median_of(std::vector<double> values);
/// Standard error of a median over the median.
double error_of_median(const Measurement& measurement);

/// Replays that are enqueued at once and waited for later, so that the host can go on meanwhile.
class PendingReplays {
 public:
  /// `before` enqueues on `stream` what comes before each replay and is not timed. The graph must
  /// outlive wait().
  PendingReplays(cudaGraphExec_t exec, cudaStream_t stream, int warmup, int runs, const std::function<void()>& before);
  Measurement wait();

 private:
  std::vector<Event> begin_, end_;
};

}  // namespace opsched

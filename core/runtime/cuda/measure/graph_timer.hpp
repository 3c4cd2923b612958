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

/// Times replays of one graph on `stream` of the device that is current then. A latency is the time between the
/// ends of two replays in a row. Replays are queued in bursts, so that the host's launches hide behind the replay
/// before; they never overlap. A burst's first replay also waits for its own launch, and is left out.
class GraphTimer {
 public:
  /// What replays in several processes do besides.
  struct Rounds {
    std::function<void()> close;                ///< enqueues what waits until the others have come as far
    std::function<void(cudaEvent_t)> wait_for;  ///< waits, unless another process fails
  };

  /// `clocks` may be null. All must outlive it.
  GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks);
  /// Of a part of a schedule. As all processes must replay equally often, it does not warm up by itself.
  GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks, Rounds rounds);

  /// As `options` say; long graphs in fewer replays, but at least one.
  void warm_up(const MeasureOptions& options = {});
  /// Latencies of `count` replays, ms, in order, after a warm_up() before the first ones. Clocks are sampled meanwhile.
  std::vector<double> sample(int count);
  /// Warms up, then samples as long as `options` say.
  Measurement measure(const MeasureOptions& options);
  /// While the last sample() or measure() ran.
  const Clocks& clocks() const { return seen_; }

 private:
  void append(int count, std::vector<double>& ms);

  cudaGraphExec_t exec_;
  cudaStream_t stream_;
  ClockMonitor* monitor_;
  Rounds rounds_;
  std::vector<Event> events_;
  Clocks seen_;
  bool warm_ = false;
};

/// Two graphs in alternating bursts on `stream` (ABBA), so that clock drift cancels.
KernelComparison compare_replays(const std::array<cudaGraphExec_t, 2>& graphs, cudaStream_t stream, int turns);

/// Latencies of several, a burst of each in turn until all are known well. `max_seconds` is for each on average.
std::vector<Measurement> time_in_turn(std::span<const cudaGraphExec_t> execs, cudaStream_t stream,
                                      const MeasureOptions& options);

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

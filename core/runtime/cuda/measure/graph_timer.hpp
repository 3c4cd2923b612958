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

/// Times replays of one graph on `stream` of the current device. A latency is the time between the ends of two
/// consecutive replays. Replays are queued in bursts, so that host launches overlap with the previous replay; replays
/// never overlap. The first replay of a burst also waits for its own launch, and is not counted.
class GraphTimer {
 public:
  /// Additional synchronisation for replays in several processes.
  struct Rounds {
    std::function<void()> close;                ///< enqueues a wait for the other processes
    std::function<void(cudaEvent_t)> wait_for;  ///< waits, unless another process fails
  };

  /// `clocks` may be null. All arguments must outlive it.
  GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks);
  /// For a part of a schedule. It does not warm up by itself, because all processes must replay equally often.
  GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks, Rounds rounds);

  /// According to `options`; long graphs use fewer replays, but at least one.
  void warm_up(const MeasureOptions& options = {});
  /// Latencies of `count` replays, ms, in order, after a warm_up() before the first ones. Clocks are sampled meanwhile.
  std::vector<double> sample(int count);
  /// Warms up, then samples according to `options`.
  Measurement measure(const MeasureOptions& options);
  /// Clocks during the last sample() or measure().
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

/// Latencies of several graphs, with a burst of each in alternation until all are known well enough. `max_seconds` is
/// per graph on average.
std::vector<Measurement> time_in_turn(std::span<const cudaGraphExec_t> execs, cudaStream_t stream,
                                      const MeasureOptions& options);

/// Replays that are enqueued at once and awaited later, so that the host can continue meanwhile.
class PendingReplays {
 public:
  /// `before` enqueues work on `stream` before each replay that is not timed. The graph must outlive wait().
  PendingReplays(cudaGraphExec_t exec, cudaStream_t stream, int warmup, int runs, const std::function<void()>& before);
  Measurement wait();

 private:
  std::vector<Event> begin_, end_;
};

}  // namespace opsched

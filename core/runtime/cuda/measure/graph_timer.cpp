#include "core/runtime/cuda/measure/graph_timer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

constexpr int kBurst = 10;  // replays enqueued at once
// Long schedules warm up with fewer runs: at least one, and none begins after this fraction of max_seconds.
constexpr double kWarmupPart = 0.2;

}  // namespace

GraphTimer::GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks)
    : exec_(exec), stream_(stream), monitor_(clocks) {
  for (int i = 0; i <= kBurst; ++i) events_.push_back(make_event(true));
}

GraphTimer::GraphTimer(cudaGraphExec_t exec, cudaStream_t stream, ClockMonitor* clocks, Rounds rounds)
    : GraphTimer(exec, stream, clocks) {
  rounds_ = std::move(rounds);
  warm_ = true;
}

void GraphTimer::warm_up(const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int i = 0; i < std::max(1, options.warmup); ++i) {
    if (i > 0 && std::chrono::duration<double>(Clock::now() - start).count() > kWarmupPart * options.max_seconds) break;
    OPSCHED_CUDA(cudaGraphLaunch(exec_, stream_));
    OPSCHED_CUDA(cudaStreamSynchronize(stream_));
  }
  warm_ = true;
}

/// Runs a burst and appends `count` latencies, at most kBurst - 1.
void GraphTimer::append(int count, std::vector<double>& ms) {
  OPSCHED_CUDA(cudaEventRecord(events_[0].get(), stream_));
  for (int i = 1; i <= count + 1; ++i) {
    OPSCHED_CUDA(cudaGraphLaunch(exec_, stream_));
    if (rounds_.close) rounds_.close();
    OPSCHED_CUDA(cudaEventRecord(events_[i].get(), stream_));
  }
  if (monitor_) monitor_->sample();
  if (rounds_.wait_for) rounds_.wait_for(events_[count + 1].get());
  OPSCHED_CUDA(cudaEventSynchronize(events_[count + 1].get()));
  for (int i = 2; i <= count + 1; ++i) ms.push_back(elapsed_ms(events_[i - 1], events_[i]));
}

std::vector<double> GraphTimer::sample(int count) {
  if (!warm_) warm_up();
  if (monitor_) monitor_->start();
  std::vector<double> ms;
  while (static_cast<int>(ms.size()) < count) append(std::min(kBurst - 1, count - static_cast<int>(ms.size())), ms);
  if (monitor_) seen_ = monitor_->clocks();
  return ms;
}

Measurement GraphTimer::measure(const MeasureOptions& options) {
  warm_up(options);
  if (monitor_) monitor_->start();
  Measurement result = measure_until_stable(
      [&] {
        std::vector<double> ms;
        append(kBurst - 1, ms);
        return ms;
      },
      options);
  if (monitor_) seen_ = monitor_->clocks();
  result.sm_clock_mhz = seen_.sm_mhz;
  result.memory_clock_mhz = seen_.memory_mhz;
  result.throttled = seen_.throttled;
  return result;
}

KernelComparison compare_replays(const std::array<cudaGraphExec_t, 2>& graphs, cudaStream_t stream, int turns) {
  std::array<GraphTimer, 2> timers{GraphTimer(graphs[0], stream, nullptr), GraphTimer(graphs[1], stream, nullptr)};
  const auto run = [&](int which) { return median(timers[which].sample(kBurst - 1)); };
  run(0), run(1);  // the first replays of a graph are slower
  std::vector<double> before, difference;
  for (int turn = 0; turn < turns; ++turn) {
    std::array<double, 2> ms{};
    const int first = turn % 2;
    ms[first] = run(first);
    ms[1 - first] = run(1 - first);
    before.push_back(ms[0]);
    difference.push_back(ms[1] - ms[0]);
  }
  KernelComparison result{.before = median(before)};
  const double middle = median(difference);
  result.after = result.before + middle;
  for (double& d : difference) d = std::abs(d - middle);
  result.noise = 1.2533 * 1.4826 * median(difference) / std::sqrt(static_cast<double>(turns));
  return result;
}

std::vector<Measurement> time_in_turn(std::span<const cudaGraphExec_t> execs, cudaStream_t stream,
                                      const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  std::vector<GraphTimer> timers;
  for (cudaGraphExec_t exec : execs) timers.emplace_back(exec, stream, nullptr).warm_up(options);
  std::vector<std::vector<double>> times(execs.size());
  std::vector<Measurement> results(execs.size());
  const auto start = Clock::now();
  const double most = options.max_seconds * static_cast<double>(execs.size());
  for (bool all = execs.empty(); !all;) {
    all = true;
    for (std::size_t i = 0; i < execs.size(); ++i) {
      std::ranges::copy(timers[i].sample(kBurst - 1), std::back_inserter(times[i]));
      results[i] = summarise(times[i]);
      all = all && results[i].runs >= options.min_runs && median_error(results[i]) < options.max_noise;
    }
    if (results.back().runs >= options.max_runs) break;
    if (std::chrono::duration<double>(Clock::now() - start).count() > most) break;
  }
  return results;
}

PendingReplays::PendingReplays(cudaGraphExec_t exec, cudaStream_t stream, int warmup, int runs,
                               const std::function<void()>& before) {
  for (int i = 0; i < runs; ++i) {
    begin_.push_back(make_event(true));
    end_.push_back(make_event(true));
  }
  for (int i = 0; i < warmup; ++i) OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
  for (int i = 0; i < runs; ++i) {
    before();
    OPSCHED_CUDA(cudaEventRecord(begin_[i].get(), stream));
    OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
    OPSCHED_CUDA(cudaEventRecord(end_[i].get(), stream));
  }
}

Measurement PendingReplays::wait() {
  OPSCHED_CUDA(cudaEventSynchronize(end_.back().get()));
  std::vector<double> times;
  for (std::size_t i = 0; i < end_.size(); ++i) times.push_back(elapsed_ms(begin_[i], end_[i]));
  return summarise(times);
}

}  // namespace opsched

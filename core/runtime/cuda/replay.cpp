#include "core/runtime/cuda/replay.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/runtime/cuda/cuda_check.hpp"
#include "core/runtime/cuda/cuda_handles.hpp"

namespace opsched {
namespace {

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

/// Median absolute deviation over the median.
double noise_of(const std::vector<double>& values, double median) {
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (double v : values) deviations.push_back(std::abs(v - median));
  return median_of(std::move(deviations)) / median;
}

Measurement summary(const std::vector<double>& times) {
  Measurement result;
  result.median = median_of(times);
  result.noise = noise_of(times, result.median);
  result.mean = std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
  const auto [low, high] = std::ranges::minmax(times);
  result.min = low;
  result.max = high;
  result.runs = static_cast<int>(times.size());
  result.source = Source::measured;
  return result;
}

}  // namespace

double error_of_median(const Measurement& m) {
  return 1.2533 * 1.4826 * m.noise / std::sqrt(static_cast<double>(m.runs));
}

Measurement time_replays(cudaGraphExec_t exec, cudaStream_t stream, const MeasureOptions& options,
                         ClockMonitor* clocks) {
  using Clock = std::chrono::steady_clock;
  constexpr int kBurst = 10;
  std::vector<Event> events;
  for (int i = 0; i <= kBurst; ++i) events.push_back(make_event(true));

  for (int i = 0; i < options.warmup; ++i) OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
  OPSCHED_CUDA(cudaStreamSynchronize(stream));

  if (clocks) clocks->start();
  const auto start = Clock::now();
  std::vector<double> times;
  Measurement result;
  while (static_cast<int>(times.size()) < options.max_runs) {
    OPSCHED_CUDA(cudaEventRecord(events[0].get(), stream));
    for (int i = 1; i <= kBurst; ++i) {
      OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
      OPSCHED_CUDA(cudaEventRecord(events[i].get(), stream));
    }
    if (clocks) clocks->sample();
    OPSCHED_CUDA(cudaEventSynchronize(events[kBurst].get()));
    // The first replay of a burst also waits for its own launch to reach the GPU.
    for (int i = 2; i <= kBurst; ++i) {
      times.push_back(elapsed_ms(events[i - 1], events[i]));
    }
    result = summary(times);
    if (static_cast<int>(times.size()) >= options.min_runs && error_of_median(result) < options.max_noise) break;
    if (std::chrono::duration<double>(Clock::now() - start).count() > options.max_seconds) break;
  }
  if (clocks) {
    result.sm_clock_mhz = clocks->clocks().sm_mhz;
    result.memory_clock_mhz = clocks->clocks().memory_mhz;
    result.throttled = clocks->clocks().throttled;
  }
  return result;
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
  return summary(times);
}

}  // namespace opsched

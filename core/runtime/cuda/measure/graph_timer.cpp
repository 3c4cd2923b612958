#include "core/runtime/cuda/measure/graph_timer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>
#include <vector>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"

namespace opsched {
namespace {

constexpr int kBurst = 10;  // replays that are enqueued at once
// Long schedules warm up in fewer runs: at least one, and none begins after this part of max_seconds.
constexpr double kWarmupPart = 0.2;

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

/// Replays in a row, with an event after each.
class Burst {
 public:
  Burst() {
    for (int i = 0; i <= kBurst; ++i) events_.push_back(make_event(true));
  }
  void enqueue(cudaGraphExec_t exec, cudaStream_t stream) const {
    OPSCHED_CUDA(cudaEventRecord(events_[0].get(), stream));
    for (int i = 1; i <= kBurst; ++i) {
      OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
      OPSCHED_CUDA(cudaEventRecord(events_[i].get(), stream));
    }
  }
  /// ms of each, less the first one, which also waits for its own launch to reach the GPU.
  std::vector<double> wait() const {
    OPSCHED_CUDA(cudaEventSynchronize(events_[kBurst].get()));
    std::vector<double> times;
    for (int i = 2; i <= kBurst; ++i) times.push_back(elapsed_ms(events_[i - 1], events_[i]));
    return times;
  }

 private:
  std::vector<Event> events_;
};

void warm_up(cudaGraphExec_t exec, cudaStream_t stream, const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int i = 0; i < options.warmup; ++i) {
    if (i > 0 && std::chrono::duration<double>(Clock::now() - start).count() > kWarmupPart * options.max_seconds) break;
    OPSCHED_CUDA(cudaGraphLaunch(exec, stream));
    OPSCHED_CUDA(cudaStreamSynchronize(stream));
  }
}

}  // namespace

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

KernelComparison compare_replays(const std::array<cudaGraphExec_t, 2>& graphs, cudaStream_t stream, int turns) {
  const Burst burst;
  const auto run = [&](int which) {
    burst.enqueue(graphs[which], stream);
    return median_of(burst.wait());
  };
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
  KernelComparison result{.before = median_of(before)};
  const double median = median_of(difference);
  result.after = result.before + median;
  for (double& d : difference) d = std::abs(d - median);
  result.noise = 1.2533 * 1.4826 * median_of(difference) / std::sqrt(static_cast<double>(turns));
  return result;
}

double error_of_median(const Measurement& m) {
  return 1.2533 * 1.4826 * m.noise / std::sqrt(static_cast<double>(m.runs));
}

Measurement time_replays(cudaGraphExec_t exec, cudaStream_t stream, const MeasureOptions& options,
                         ClockMonitor* clocks) {
  using Clock = std::chrono::steady_clock;
  const Burst burst;

  warm_up(exec, stream, options);
  if (clocks) clocks->start();
  const auto start = Clock::now();
  std::vector<double> times;
  Measurement result;
  while (static_cast<int>(times.size()) < options.max_runs) {
    burst.enqueue(exec, stream);
    if (clocks) clocks->sample();
    std::ranges::copy(burst.wait(), std::back_inserter(times));
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

std::vector<Measurement> time_in_turn(std::span<const cudaGraphExec_t> execs, cudaStream_t stream,
                                      const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const Burst burst;
  for (cudaGraphExec_t exec : execs) warm_up(exec, stream, options);
  std::vector<std::vector<double>> times(execs.size());
  std::vector<Measurement> results(execs.size());
  const auto start = Clock::now();
  const double most = options.max_seconds * static_cast<double>(execs.size());
  for (bool all = execs.empty(); !all;) {
    all = true;
    for (std::size_t i = 0; i < execs.size(); ++i) {
      burst.enqueue(execs[i], stream);
      std::ranges::copy(burst.wait(), std::back_inserter(times[i]));
      results[i] = summary(times[i]);
      all = all && results[i].runs >= options.min_runs && error_of_median(results[i]) < options.max_noise;
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
  return summary(times);
}

}  // namespace opsched

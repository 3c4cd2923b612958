#include "core/runtime/measurement.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>

#include "core/error.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

constexpr double kMadToSigma = 1.4826;      // for a normal distribution
constexpr double kMedianOverMean = 1.2533;  // ratio of their standard errors, normal distribution

}  // namespace

Measurement summarise(const std::vector<double>& ms) {
  if (ms.empty()) throw Error("nothing was measured");
  std::vector<double> sorted = ms;
  std::ranges::sort(sorted);
  const auto count = static_cast<double>(sorted.size());
  Measurement m;
  m.median = quantile(sorted, 0.5);
  m.p90 = quantile(sorted, 0.9);
  m.p99 = quantile(sorted, 0.99);
  m.min = sorted.front();
  m.max = sorted.back();
  m.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
  double squares = 0;
  for (double x : sorted) squares += (x - m.mean) * (x - m.mean);
  m.stddev = sorted.size() > 1 ? std::sqrt(squares / (count - 1)) : 0;
  for (double& x : sorted) x = std::abs(x - m.median);
  m.mad_ratio = m.median > 0 ? median(std::move(sorted)) / m.median : 0;
  m.runs = static_cast<int>(ms.size());
  return m;
}

double median_error(const Measurement& m) {
  return kMedianOverMean * kMadToSigma * m.mad_ratio / std::sqrt(static_cast<double>(m.runs));
}

Measurement measure_until_stable(const std::function<std::vector<double>()>& sample, const MeasureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::vector<double> all;
  Measurement result;
  do {
    std::ranges::copy(sample(), std::back_inserter(all));
    result = summarise(all);
    if (result.runs >= options.min_runs && median_error(result) < options.max_noise) break;
    if (std::chrono::duration<double>(Clock::now() - start).count() > options.max_seconds) break;
  } while (result.runs < options.max_runs);
  return result;
}

}  // namespace opsched

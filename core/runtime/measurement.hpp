// Latencies of repeated runs, and their statistics.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/provenance.hpp"

namespace opsched {

struct MeasureOptions {
  int warmup = 10;  ///< number of warm-up replays, at least one; none starts after a fifth of max_seconds
  int min_runs = 30, max_runs = 2000;
  double max_noise = 0.005;  ///< stop when the standard error of the median is below this fraction of it
  double max_seconds = 2.0;  ///< or after this time
};

/// State of the device during a measurement.
struct Clocks {
  int sm_mhz = 0, memory_mhz = 0;  ///< lowest seen; 0: unknown
  bool throttled = false;          ///< slowed by power, heat or hardware protection
  bool operator==(const Clocks&) const = default;
};

/// Latency of a schedule, ms.
struct Measurement {
  double median = 0, mean = 0, min = 0, max = 0;
  double p90 = 0, p99 = 0;  ///< percentiles, as core/statistics.hpp defines them
  double stddev = 0;        ///< of a single run; 0 for one run
  double mad_ratio = 0;     ///< median absolute deviation over the median
  int runs = 0;
  Provenance provenance = Provenance::measured;
  int sm_clock_mhz = 0, memory_clock_mhz = 0;  ///< lowest seen while measuring; 0: unknown
  bool throttled = false;
  std::string note;  ///< device, or the source of a replay
};

/// From single runs, ms; the caller adds the clocks. Throws Error if there are no runs.
Measurement summarise(const std::vector<double>& ms);

/// Standard error of the median divided by the median, for normally distributed runs.
double median_error(const Measurement& measurement);

/// Calls `sample` for a few runs at a time until the median is as accurate as `options` require, or the limit on runs
/// or seconds is reached. (`sample` is responsible for warming up.)
Measurement measure_until_stable(const std::function<std::vector<double>()>& sample, const MeasureOptions& options);

}  // namespace opsched

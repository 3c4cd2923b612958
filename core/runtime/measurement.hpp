// Latencies of repeated runs, and what is said about them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/provenance.hpp"

namespace opsched {

struct MeasureOptions {
  int warmup = 10;  ///< replays before, the first one always; none begins after a fifth of max_seconds
  int min_runs = 30, max_runs = 2000;
  double max_noise = 0.005;  ///< stop when the standard error of the median falls below this part of it
  double max_seconds = 2.0;  ///< or when this much time has passed
};

/// What the device ran at while something was timed.
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
  std::string note;  ///< device, or what was replayed
};

/// Of single runs, ms; the clocks are the caller's. Throws Error without runs.
Measurement summarise(const std::vector<double>& ms);

/// Standard error of the median over the median, for normally distributed runs.
double median_error(const Measurement& measurement);

/// Calls `sample` for some runs at a time until their median is known as well as `options` ask, or their runs or
/// seconds are spent. (Warming up is the sampler's business.)
Measurement measure_until_stable(const std::function<std::vector<double>()>& sample, const MeasureOptions& options);

}  // namespace opsched

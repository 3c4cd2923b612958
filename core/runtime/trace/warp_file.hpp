// Active warps over time of several schedules, as a file that figures are drawn from.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/trace/active_warps.hpp"

namespace opsched {

struct WarpSeries {
  std::string network, scheduler, precision;  ///< network: the graph's name, "inception_v3/e2" for a block
  int batch = 1;
  double makespan_ms = 0, mean_warps_per_sm = 0;
  int multiprocessors = 0, max_warps_per_sm = 0;
  std::string method;           ///< how the warps were found
  std::string source, command;  ///< device and versions; how to make it again
  std::vector<WarpSample> samples;
};

/// FOLDER/active_warps.json: {"source", "series": [{..., "samples": [[ms, warps on a multiprocessor], ...]}]}.
/// Of one network under one scheduler the newest series stays. Throws Error for a file that is none of
/// this program, and where it cannot be written. Returns the file's name.
std::string add_warps(const std::string& folder, const std::vector<WarpSeries>& added);

}  // namespace opsched

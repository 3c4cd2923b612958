// Active warps over time of several schedules, as a file that figures are drawn from.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/trace/active_warps.hpp"

namespace opsched {

struct WarpSeries {
  std::string graph, precision, schedule;  ///< schedule: the scheduler's name
  int batch = 1;
  double makespan_ms = 0, mean_warps_per_sm = 0;
  int multiprocessors = 0, max_warps_per_sm = 0;
  std::string method;           ///< how the warps were found
  std::string source, command;  ///< device and versions; how to make it again
  std::vector<WarpSample> samples;
};

/// FOLDER/figures/active_warps.json: {"series": one object each without its samples, "rows": [{graph, batch,
/// precision, schedule, t_ms, warps_per_sm}]}. Series of the same graph, batch, precision and schedule are
/// replaced, others kept. Throws Error for a file that is none of this program, and where it cannot be
/// written. Returns the file's name.
std::string add_warps(const std::string& folder, const std::vector<WarpSeries>& added);

}  // namespace opsched

// A benchmark run: registers the cases with Google Benchmark, runs them, keeps the results.
#pragma once

#include <string>
#include <vector>

#include "experiments/device/device.hpp"
#include "experiments/records/cases.hpp"

namespace opsched::bench {

struct SessionOptions {
  std::vector<Case> cases;               ///< in the order in which they run (make_cases)
  std::vector<double> expected_seconds;  ///< of each case, for the time left; empty: all alike
  std::string cache;                     ///< folder of schedules; empty: not kept
  std::string out;                       ///< folder of results; empty: not kept
  bool fresh = false;                    ///< forget an interrupted run
  bool settle = true;                    ///< results that are kept and measured end as a replay finds them (settle.hpp)
  int settle_rounds = 3;                 ///< as in SettleOptions
  MeasureOptions measure;
  std::vector<std::string> benchmark_flags;  ///< --benchmark_...=..., as Google Benchmark has them
};

/// Prints as Google Benchmark does, and a table at the end; what was settled on standard error. Settled are the results
/// of this run and, if `out` has the profile as well, those of earlier ones in it. Throws Error for wrong input and
/// where nothing could run, cli::Interrupted when the user stops it, DeviceLost where a GPU falls out. In the last two
/// cases the results so far are kept.
void run_session(Device& device, const SessionOptions& options);

}  // namespace opsched::bench

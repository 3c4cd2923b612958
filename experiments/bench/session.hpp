// A benchmark run: every case timed through Google Benchmark, its record kept, a table at the end.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/cases.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/record_file.hpp"

namespace opsched::bench {

struct SessionOptions {
  std::vector<Case> cases;                   ///< in the order in which they run (make_cases)
  std::vector<double> expected_seconds;      ///< of each case, for the time left; empty: all alike
  std::string cache;                         ///< folder of schedules; empty: not kept
  bool replace = false;                      ///< records of this run take the place of stronger ones
  double max_seconds = 2;                    ///< to measure one schedule, about
  std::vector<std::string> benchmark_flags;  ///< --benchmark_...=..., as Google Benchmark has them
};

/// Prints a line a case and a table at the end; keeps records in `file`, if there is one. On a recorded device a case
/// that is among the records of the profile's folder is read there; others are searched for and simulated. Throws Error
/// for wrong input and where nothing could run, cli::Interrupted when the user stops it, DeviceLost where a GPU falls
/// out. In the last two cases the records so far are kept.
void run_session(Device& device, records::RecordFile* file, const SessionOptions& options);

}  // namespace opsched::bench

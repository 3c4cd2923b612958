// A benchmark run: every case timed with Google Benchmark, its record stored, and a table at the end.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "core/runtime/protocol.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/record_file.hpp"

namespace opsched::bench {

/// Runs cases in other processes; `arrived` gets each record, or the reason why it could not run.
using ShareCases = std::function<void(const std::vector<Case>& cases, const std::function<void(Timed)>& arrived)>;

struct SessionOptions {
  std::vector<Case> cases;                   ///< in the order in which they run (make_cases)
  std::vector<double> expected_seconds;      ///< of each case, for the time left; empty: all alike
  std::string cache;                         ///< folder of schedules; empty: not kept
  bool replace = false;                      ///< records of this run replace stronger ones
  double max_seconds = 2;                    ///< to measure one schedule, about
  std::vector<Protocol> protocols{};         ///< every case is measured by these, too
  ShareCases share{};                        ///< runs everything in other processes; empty: cases run here
  std::vector<std::string> benchmark_flags;  ///< --benchmark_...=..., as Google Benchmark has them
};

/// Prints one line per case and a table at the end, and stores records in `file`, if there is one. On a recorded
/// device, cases that have a record in the profile's folder are read from it, and others are searched and simulated.
/// Throws Error for invalid input and if nothing could run, cli::Interrupted when the user stops it, and DeviceLost if
/// a GPU fails. In the last two cases the records so far are stored.
void run_session(Device& device, records::RecordFile* file, const SessionOptions& options);

// Its output on a terminal.

/// The record of a case; nullptr if there is none or it has no value.
const records::Record* find_result(const std::vector<records::Record>& results, const Case& what);

/// One case: its name, latency, spread and speed-up over `baseline` (nullptr: there is none).
void print_line(std::ostream& out, const records::Record& record, const records::Record* baseline);

/// Network x scheduler against precision, one table for every batch, image and device count: latency
/// in ms and the speed-up over sequential on one device. "~": simulated. Then what could not run, and why.
void print_table(std::ostream& out, const std::vector<records::Record>& results);

}  // namespace opsched::bench

// Results of a benchmark run, on disk: safe while the run goes on, and mergeable with earlier ones.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/records/cases.hpp"

namespace opsched::bench {

/// One run of one case.
struct Result {
  Case what;
  std::string skipped;  ///< why it could not run; empty: it ran, and the rest holds
  double ms = 0, min_ms = 0, max_ms = 0, noise = 0;
  int runs = 0;
  std::string how;  ///< measured, recorded or simulated
  int sm_clock_mhz = 0, memory_clock_mhz = 0;
  bool throttled = false;
  int stages = 0;
  double bound_ms = 0;      ///< lower bound, from solo latencies
  double predicted_ms = 0;  ///< by the simulator, on the costs that the scheduler saw; 0: some are not known
  std::int64_t peak_bytes = 0, transfer_bytes = 0;
  /// Of the first search for this case, on what was known then: the honest time, as later ones find much measured
  /// already. Settling (settle.hpp) replaces everything else of a result and keeps this.
  double search_seconds = 0;
  std::string graph, schedule;  ///< fingerprints
  bool operator==(const Result&) const = default;
};

/// What a results file holds; both empty where there is none.
struct Contents {
  std::string origin;  ///< what the numbers depend on besides the case: device, versions
  std::vector<Result> results;
};

/// The file FOLDER/bench.json, and FOLDER/bench.json.journal while a run is not finished. What was
/// finished survives Ctrl-C and kill -9; the next run with the same `origin` begins with it.
class ResultsFile {
 public:
  /// `origin`: what the numbers depend on besides the case (device, versions). `fresh`: forget an
  /// interrupted run. Throws Error where the folder cannot be written, the file is none of ours or
  /// from another version, or another process is writing it.
  ResultsFile(const std::string& folder, const std::string& origin, bool fresh);
  ~ResultsFile();

  /// How many results of the file are of another origin; finish() replaces them. 0: they stay.
  int replaced() const { return replaced_; }
  /// Results of the interrupted run that this one continues, in their order. Of a case for which several schedules
  /// were measured, those of the last one.
  const std::vector<Result>& resumed() const { return resumed_; }
  void add(const Result& result);
  /// What finish() would leave in the file: the results of this run merged into those of earlier ones with this
  /// origin. Of several of one case the one with the middle latency, among those of the schedule found last.
  std::vector<Result> merged() const;
  /// The run is complete: writes merged() and drops the journal.
  void finish();

  /// The file of an earlier run. Throws Error as above.
  static Contents load(const std::string& folder);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<Result> resumed_;
  int replaced_ = 0;
};

}  // namespace opsched::bench

// What a benchmark run shows on a terminal: a line a case, and a table at the end.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "experiments/records/record.hpp"

namespace opsched::bench {

/// One case: its name, latency, spread and speed-up over `baseline` (nullptr: there is none).
void print_line(std::ostream& out, const records::Record& record, const records::Record* baseline);

/// Network x scheduler against precision, one table for every batch, image and device count: latency
/// in ms and the speed-up over sequential on one device. "~": simulated. Then what could not run, and why.
void print_table(std::ostream& out, const std::vector<records::Record>& results);

/// How far a run has come, and how long the rest takes.
class RunCountdown {
 public:
  /// `expected`: seconds of each case, in their order; only proportions matter once the first case is done.
  void start(std::vector<double> expected) { expected_ = std::move(expected); }
  /// A case is done.
  void advance() { ++done_; }
  /// "[3/12, about 2 min left] "
  std::string text() const;

 private:
  std::vector<double> expected_;
  std::size_t done_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace opsched::bench

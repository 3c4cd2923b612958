// What a benchmark run shows: Google Benchmark's rows under our names, and the table at the end.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/settle.hpp"
#include "experiments/records/results.hpp"

namespace opsched::bench {

/// A reporter of Google Benchmark that shows our names without what Google Benchmark adds to them
/// (iterations, manual_time), and shows nothing once `stopped` says so.
template <class Base>
class Renaming : public Base {
 public:
  template <class... Arguments>
  explicit Renaming(std::function<bool()> stopped, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), stopped_(std::move(stopped)) {}

  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    if (stopped_()) return;
    std::vector<benchmark::BenchmarkReporter::Run> renamed = runs;
    for (auto& run : renamed) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
      run.run_name.repetitions.clear();
    }
    Base::ReportRuns(renamed);
  }

 private:
  std::function<bool()> stopped_;
};

/// Rows on a terminal; instead of facts about this machine's CPU, a first line says where the numbers
/// come from. `before` runs before every row.
class ConsoleReporter : public Renaming<benchmark::ConsoleReporter> {
 public:
  ConsoleReporter(std::string first_line, std::function<bool()> stopped, std::function<void()> before, bool color);
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

 private:
  std::string first_line_;
  std::function<void()> before_;
};

/// Network x scheduler against precision, one table for every batch, image and device count: latency
/// in ms and the speed-up over sequential on one device. Then what was skipped, and why.
void print_table(std::ostream& out, const std::vector<Result>& results);

/// Which of `checked` results were measured anew, and what a replay still finds otherwise.
void print_settled(std::ostream& out, const Settled& settled, int checked);

/// The result that `result` is compared with: same graph and precision, sequential, one device.
Case baseline_of(const Case& what);

}  // namespace opsched::bench

// What figures gather their rows with.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/figures/row.hpp"

namespace opsched::figures {

/// What is at hand, before anything is run.
struct Place {
  std::string results;                    ///< folder of the device's results: results/h200
  bool measures = false;                  ///< is there a GPU?
  bool fresh = false;                     ///< measure anew what bench.json of the results holds
  int gpus = 1;                           ///< that may be used
  Precision precision = Precision::fp32;  ///< the papers'
};

/// Folders of results of the same type of device beside place.results, it included, with their number of
/// GPUs: {1, "results/h200"}, {2, "results/h200-x2"}. Ascending.
std::vector<std::pair<int, std::string>> sibling_folders(const Place& place);

class Lab {
 public:
  /// All must outlive it.
  Lab(Device& device, const bench::ScheduleStore& store, MeasureOptions options, Place place, Report report);

  const Place& place() const { return place_; }
  Device& device() { return device_; }
  bench::Runner& runner() { return runner_; }
  void report(const std::string& text) const { report_(text); }

  /// Latency of the schedule that the scheduler finds: as bench.json of the results folders has it, on a GPU
  /// only if it comes from this device and these versions and place.fresh is not set; else measured, or
  /// without a GPU replayed. Throws Error for what cannot be had.
  Row latency(const bench::Case& what, const SchedulerOptions& options = {});
  /// The same, but throws Error instead of replaying.
  Row measured_latency(const bench::Case& what);
  /// The same as bench.json of the results for so many GPUs has it, whatever the case itself uses: what stands
  /// beside their latencies comes from their run. nullptr: it is not there.
  const Row* beside(int gpus, const bench::Case& what) const;
  /// Fills in `source`.
  Row row(bench::Result result) const;

 private:
  bool here(const bench::Case& what) const { return place_.measures && what.gpus <= place_.gpus; }
  const Row* recorded(const bench::Case& what) const;

  Device& device_;
  Place place_;
  Report report_;
  bench::Runner runner_;
  std::vector<std::pair<int, Row>> recorded_;  ///< of all bench.json at hand, with their folders' number of GPUs
};

}  // namespace opsched::figures

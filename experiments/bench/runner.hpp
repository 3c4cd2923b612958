// Runs cases on a device: graph, costs, schedule, latency. Schedules are found once and stored on disk.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "experiments/bench/cases.hpp"
#include "experiments/device/device.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::bench {

/// A schedule and the cost of finding it.
struct Found {
  Schedule schedule;
  double seconds = 0;  ///< of the search, when it ran
  bool from_disk = false;
};

/// A folder of schedules. A file is used only for exactly the same request: graph with batch, scheduler, options,
/// devices, costs, and program build.
class ScheduleStore {
 public:
  /// The folder is created when something is stored. Empty: nothing is stored. `warn`: called once, from any thread,
  /// if schedules cannot be stored; may be empty.
  explicit ScheduleStore(std::string folder, std::function<void(const std::string&)> warn = {})
      : folder_(std::move(folder)), warn_(std::move(warn)) {}

  /// Whether there is a file with the answer.
  bool holds(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key) const;
  /// Reads the result, or runs the scheduler and stores it. A file that cannot be read is replaced. `costs_key`:
  /// changes when the costs do. Throws as make_schedule does. A folder that cannot be written is not an error.
  Found find(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key) const;

 private:
  std::string folder_;
  std::function<void(const std::string&)> warn_;
  mutable std::atomic<bool> warned_ = false;
};

/// What timing a schedule gave: the record (quantity latency), and what belongs to it by content.
struct Timed {
  records::Record record;
  records::KernelChoices kernels{};
  Schedule schedule{};
};

/// What was sampled on an executor, with the clocks that it saw.
Measurement sampled(const Executor& executor, const std::vector<double>& ms);

/// Value, unit, spread, clocks and provenance of a record.
void put_latency(records::Record& record, const Measurement& latency);

/// The record of a latency of a schedule of the costs' graph, which need not be a network by name.
Timed timed(const Case& what, CostModel& costs, const Found& found, const Executor& executor,
            const Measurement& latency);

class Runner {
 public:
  /// All must outlive it.
  Runner(Device& device, const ScheduleStore& store, MeasureOptions options, Report report)
      : device_(device), store_(store), options_(options), report_(std::move(report)) {}

  /// Finds the schedule and its latency. If the combination is not possible, returns a record that says why
  /// (`missing`). Passes on what `report` throws, and DeviceLost.
  Timed run(const Case& what);

  // The steps of run(). Throws Error if a combination is not possible.

  /// Of the case's graph (CostModel::graph) in its precision; valid until another case is asked for.
  CostModel& costs(const Case& what);
  Found find(const Case& what);
  /// Whether find() needs no search.
  bool found_before(const Case& what);
  /// Ready to be timed; valid as costs() and `found` are.
  std::unique_ptr<Executor> prepare(const Case& what, const Found& found);
  /// The record of a measured or replayed latency; a measured one is also stored in the profile.
  Timed timed(const Case& what, const Found& found, const Executor& executor, const Measurement& latency);
  /// All three: latency of a schedule of the case's network, wherever it was found.
  Timed time(const Case& what, const Found& found);

 private:
  Device& device_;
  const ScheduleStore& store_;
  MeasureOptions options_;
  Report report_;

  // The graph and costs of the last case, because the next one usually has the same.
  Case selected_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<CostModel> costs_;
};

}  // namespace opsched::bench

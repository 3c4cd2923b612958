// Runs benchmark cases on a device: graph, costs, schedule, latency.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "experiments/bench/schedule_store.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/results.hpp"

namespace opsched::bench {

class Runner {
 public:
  /// All must outlive it.
  Runner(Device& device, const ScheduleStore& store, MeasureOptions options, Report report)
      : device_(device), store_(store), options_(options), report_(std::move(report)) {}

  /// Finds the schedule and its latency. What the combination cannot do comes back as `skipped`, with
  /// the reason. Passes on what `report` throws, and DeviceLost.
  Result run(const Case& what, const SchedulerOptions& options = {});
  /// Also gives the schedule, where there is one.
  Result run(const Case& what, Found& found, const SchedulerOptions& options = {});

  // The steps of run(), for schedules that are compared in other ways. They throw Error for what a
  // combination cannot do.

  /// Of the case's graph (CostModel::graph) in its precision; valid until another case is asked for.
  CostModel& costs(const Case& what);
  Found find(const Case& what, const SchedulerOptions& options = {});
  /// Whether find() needs no search.
  bool found_before(const Case& what);
  /// Latency of a schedule of the case's network, wherever it was found.
  Result time(const Case& what, const Found& found);

 private:
  Device& device_;
  const ScheduleStore& store_;
  MeasureOptions options_;
  Report report_;

  // The graph and costs of the last case: the next one mostly has the same.
  Case selected_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<CostModel> costs_;
};

}  // namespace opsched::bench

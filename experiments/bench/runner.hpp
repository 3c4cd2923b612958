// Runs benchmark cases on a device: graph, costs, schedule, latency.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "experiments/bench/results.hpp"
#include "experiments/bench/schedule_store.hpp"
#include "experiments/device/device.hpp"

namespace opsched::bench {

class Runner {
 public:
  /// All must outlive it.
  Runner(Device& device, const ScheduleStore& store, MeasureOptions options, Report report)
      : device_(device), store_(store), options_(options), report_(std::move(report)) {}

  /// Finds the schedule and its latency. What the combination cannot do comes back as `skipped`, with
  /// the reason. Passes on what `report` throws.
  Result run(const Case& what);

 private:
  void select(const Case& what);

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

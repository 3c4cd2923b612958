// Schedules found once and kept on disk.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "schedulers/scheduler.hpp"

namespace opsched::bench {

/// A schedule and what it took to find it.
struct Found {
  Schedule schedule;
  double seconds = 0;  ///< of the search, when it ran
  bool from_disk = false;
};

/// A folder of schedules. A file is used only for the very question it answers: graph with its batch,
/// scheduler, options, devices, costs, and this very program.
class ScheduleStore {
 public:
  /// The folder is made when something is kept. Empty: nothing is kept. `warn`: told once, from whichever thread,
  /// why schedules cannot be kept there; may be empty.
  explicit ScheduleStore(std::string folder, std::function<void(const std::string&)> warn = {})
      : folder_(std::move(folder)), warn_(std::move(warn)) {}

  /// Whether there is a file with the answer.
  bool holds(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key) const;
  /// Reads the answer, or makes the schedule and keeps it. A file that cannot be read is made anew.
  /// `costs_key`: changes when the costs do. Throws as make_schedule does. A place that cannot be written is no error.
  Found find(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key) const;

 private:
  std::string folder_;
  std::function<void(const std::string&)> warn_;
  mutable std::atomic<bool> warned_ = false;
};

}  // namespace opsched::bench

// The interface of every scheduler, and the list of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Options of a scheduler by name, as text ("r" -> "3"). Each scheduler documents and checks its own options; an
/// unknown name or invalid value throws Error listing the known ones.
using SchedulerOptions = std::map<std::string, std::string>;

/// Called from time to time during long searches with a one-line status; may throw to stop the search.
using Progress = std::function<void(const std::string&)>;

/// Input of a scheduler.
struct SchedulerRequest {
  CostModel& cost;  ///< knows the graph
  int devices = 1;
  SchedulerOptions options;
  Progress progress;  ///< may be empty
  /// Long searches report the best schedule so far, used if `progress` stops them. May be empty.
  std::function<void(const Schedule&)> found{};
  /// Gets one line about what a search skipped, and why. May be empty.
  std::function<void(const std::string&)> note{};
};

/// One entry of the list. A scheduler sees a graph and costs, but no CUDA.
struct SchedulerInfo {
  std::string name;
  std::string summary;    ///< one line: what it does, and its source
  int max_devices = 1;    ///< 0: any number
  int max_operators = 0;  ///< 0: any number
  /// Option names with their meaning and default, for --help.
  std::map<std::string, std::string> options;
  std::function<Schedule(const SchedulerRequest&)> make;
};

/// All schedulers, in display order.
const std::vector<SchedulerInfo>& schedulers();
/// Throws Error listing the known names.
const SchedulerInfo& find_scheduler(const std::string& name);
/// Throws Error unless this scheduler exists, supports this many devices, and has options of these names.
void check_scheduler(const std::string& name, int devices, const SchedulerOptions& options);
/// Checks option names and device count, runs the scheduler, and validates the result.
Schedule make_schedule(const std::string& scheduler, const SchedulerRequest& request);

}  // namespace opsched

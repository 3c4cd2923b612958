// The interface of every scheduler, and the list of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Options of a scheduler by name, as text ("r" -> "3"). Each scheduler documents and checks its own;
/// an unknown name or a bad value throws Error listing what is known.
using SchedulerOptions = std::map<std::string, std::string>;

/// Called now and then on long searches with a one-line state; may throw to stop the search.
using Progress = std::function<void(const std::string&)>;

/// What a scheduler is asked for.
struct SchedulerRequest {
  CostModel& cost;  ///< knows the graph
  int devices = 1;
  SchedulerOptions options;
  Progress progress;  ///< may be empty
  /// Told by long searches of the best schedule so far: what there is if `progress` stops them. May be empty.
  std::function<void(const Schedule&)> found{};
  /// Told in a line what a search left out, and why. May be empty.
  std::function<void(const std::string&)> note{};
};

/// One entry of the list. A scheduler sees a graph and costs, nothing of CUDA.
struct SchedulerInfo {
  std::string name;
  std::string summary;    ///< one line: what it does, and its source
  int max_devices = 1;    ///< 0: any number
  int max_operators = 0;  ///< 0: any number
  /// Option names with what they mean and their default, for --help.
  std::map<std::string, std::string> options;
  std::function<Schedule(const SchedulerRequest&)> make;
};

/// All schedulers, in the order in which they are shown.
const std::vector<SchedulerInfo>& schedulers();
/// Throws Error listing the known names.
const SchedulerInfo& find_scheduler(const std::string& name);
/// Throws Error unless there is this scheduler, for so many devices, with options of these names.
void check_scheduler(const std::string& name, int devices, const SchedulerOptions& options);
/// Checks option names and device count, runs the scheduler, validates what it returns.
Schedule make_schedule(const std::string& scheduler, const SchedulerRequest& request);

}  // namespace opsched

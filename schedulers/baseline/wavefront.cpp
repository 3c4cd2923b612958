// Level by level: all ready operators run concurrently. Called "greedy" in the IOS paper (MLSys 2021, section 6).
// Needs no costs.
#include <algorithm>
#include <limits>

#include "core/graph/ready_list.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

Schedule make_wavefront(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const std::size_t most = options.limit("groups", std::numeric_limits<int>::max(), 1);
  Schedule schedule;
  schedule.devices.resize(1);
  ReadyList ready(request.cost.graph());
  while (!ready.empty()) {
    // Each operator is a separate group. An operator that continued a group would have to wait inside the stage, so it
    // belongs to the next level.
    std::vector<OpId> level = ready.ready();
    level.resize(std::min(level.size(), most));
    Stage stage;
    for (OpId op : level) stage.groups.push_back({op});
    schedule.devices[0].stages.push_back(std::move(stage));
    ready.finish(level);
  }
  return schedule;
}

}  // namespace

SchedulerInfo wavefront_scheduler() {
  return {.name = "wavefront",
          .summary = "every ready operator at once, level by level ('greedy' in the IOS paper)",
          .max_devices = 1,
          .options = {{"groups", "maximum number of operators in a stage, or 'unlimited' (default)"}},
          .make = make_wavefront};
}

}  // namespace opsched

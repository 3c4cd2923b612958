// One operator after another: the baseline of every figure.
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

Schedule make_sequential(const SchedulerRequest& request) {
  Schedule schedule;
  schedule.devices.resize(1);
  for (OpId op : request.cost.graph().units()) schedule.devices[0].stages.push_back({.groups = {{op}}});
  return schedule;
}

}  // namespace

SchedulerInfo sequential_scheduler() {
  return {.name = "sequential",
          .summary = "one operator per stage, in topological order",
          .max_devices = 1,
          .options = {},
          .make = make_sequential};
}

}  // namespace opsched

#include "schedulers/scheduler.hpp"

#include "core/names.hpp"

namespace opsched {

const SchedulerInfo& find_scheduler(const std::string& name) {
  return find_named(schedulers(), name, "there is no scheduler '" + name + "'; there are: ");
}

void check_scheduler(const std::string& name, int devices, const SchedulerOptions& options) {
  const SchedulerInfo& info = find_scheduler(name);
  if (devices < 1) throw Error("the number of devices must be at least 1, not " + std::to_string(devices));
  if (info.max_devices > 0 && devices > info.max_devices)
    throw Error("scheduler '" + info.name + "' schedules at most " + std::to_string(info.max_devices) +
                (info.max_devices == 1 ? " device, not " : " devices, not ") + std::to_string(devices));
  for (const auto& [option_name, value] : options) {
    if (info.options.contains(option_name)) continue;
    const std::string known = joined(info.options, [](const auto& entry) { return entry.first; });
    throw Error("scheduler '" + info.name + "' has no option '" + option_name + "'; " +
                (known.empty() ? "it has none" : "it has: " + known));
  }
}

Schedule make_schedule(const std::string& scheduler, const SchedulerRequest& request) {
  check_scheduler(scheduler, request.devices, request.options);
  const SchedulerInfo& info = find_scheduler(scheduler);
  const Graph& graph = request.cost.graph();
  const int operators = static_cast<int>(graph.units().size());
  if (info.max_operators > 0 && operators > info.max_operators)
    throw Error("scheduler '" + info.name + "' schedules at most " + std::to_string(info.max_operators) +
                " operators; graph '" + graph.name() + "' has " + std::to_string(operators));
  Schedule schedule = stated(graph, info.make(request));
  schedule.graph = graph.name();
  schedule.scheduler = info.name;
  if (static_cast<int>(schedule.devices.size()) > request.devices)
    throw Error("scheduler '" + info.name + "' used " + std::to_string(schedule.devices.size()) + " devices where " +
                std::to_string(request.devices) + " were asked for");
  schedule.devices.resize(request.devices);
  validate(graph, schedule);
  return schedule;
}

}  // namespace opsched

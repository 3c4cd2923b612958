#include "core/cost/evaluate.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {

void Evaluator::place(const Schedule& schedule) {
  const Graph& graph = cost_.graph();
  stages_.clear();
  stage_of_.assign(graph.size(), -1);
  for (int d = 0; d < static_cast<int>(schedule.devices.size()); ++d) {
    const auto& stages = schedule.devices[d].stages;
    for (int s = 0; s < static_cast<int>(stages.size()); ++s) {
      for (const Group& group : stages[s].groups)
        for (OpId op : group) stage_of_[op] = static_cast<int>(stages_.size());
      stages_.push_back({&stages[s], d, s, s > 0 ? 1 : 0, 0.0});
    }
  }
  for (OpId op = 0; op < graph.size(); ++op) {
    if (stage_of_[op] < 0) continue;
    for (OpId p : graph.preds(op))
      if (stage_of_[p] >= 0 && stage_of_[p] != stage_of_[op]) ++stages_[stage_of_[op]].waiting;
  }
}

const Timeline& Evaluator::evaluate(const Schedule& schedule) {
  if (schedule.mode != Mode::barrier)
    throw Error("a dataflow schedule has no stage times: replay it with the simulator");
  const Graph& graph = cost_.graph();
  place(schedule);
  timeline_.start.assign(graph.size(), 0.0);
  timeline_.end.assign(graph.size(), 0.0);
  timeline_.makespan = 0;
  runnable_.clear();
  for (int s = 0; s < static_cast<int>(stages_.size()); ++s)
    if (stages_[s].waiting == 0) runnable_.push_back(s);

  std::size_t ended = 0;
  while (!runnable_.empty()) {
    const int id = runnable_.back();
    runnable_.pop_back();
    ++ended;
    const StageState& now = stages_[id];
    const double end = now.ready + cost_.stage_ms(*now.stage);
    timeline_.makespan = std::max(timeline_.makespan, end);
    const auto release = [&](int next, double at) {
      StageState& state = stages_[next];
      state.ready = std::max(state.ready, at);
      if (--state.waiting == 0) runnable_.push_back(next);
    };
    for (const Group& group : now.stage->groups) {
      for (OpId op : group) {
        timeline_.start[op] = now.ready;
        timeline_.end[op] = end;
        for (OpId reader : graph.succs(op)) {
          const int next = stage_of_[reader];
          if (next < 0 || next == id) continue;
          const int to = stages_[next].device;
          release(next, to == now.device ? end : end + cost_.transfer_ms(op, reader, now.device, to));
        }
      }
    }
    if (id + 1 < static_cast<int>(stages_.size()) && stages_[id + 1].device == now.device) release(id + 1, end);
  }
  if (ended != stages_.size()) report_deadlock();
  return timeline_;
}

void Evaluator::report_deadlock() const {
  const auto stuck = std::ranges::find_if(stages_, [](const StageState& state) { return state.waiting > 0; });
  std::string names;
  for (const Group& group : stuck->stage->groups)
    for (OpId op : group) names += (names.empty() ? "'" : ", '") + cost_.graph().op(op).name + "'";
  throw Error("stages wait for each other for ever; the first that cannot start is stage " +
              std::to_string(stuck->index) + " of device " + std::to_string(stuck->device) + ": " + names);
}

double further_devices_ms(const ContentionLaw& law, const Schedule& schedule) {
  const auto used = std::ranges::count_if(schedule.devices, [](const auto& device) { return !device.stages.empty(); });
  return used > 1 ? static_cast<double>(used - 1) * law.device_ms : 0;
}

Timeline evaluate(Latencies& cost, const Schedule& schedule) {
  for (const DeviceSchedule& device : schedule.devices) cost.prefetch(device.stages);
  return Evaluator(cost).evaluate(schedule);
}

}  // namespace opsched

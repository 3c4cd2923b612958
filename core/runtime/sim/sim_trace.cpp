#include "core/runtime/sim/sim_trace.hpp"

#include <algorithm>

#include "core/runtime/sim/simulate.hpp"

namespace opsched {
namespace {

/// Draws the groups of a stage in barrier mode side by side, between its start and end.
void split_stage(Trace& trace, CostModel& cost, const Stage& stage, TraceEvent event, int first_row) {
  const double begin = event.start, end = event.end;
  double longest = 0;
  std::vector<double> sums;
  for (const Group& group : stage.groups) {
    double& sum = sums.emplace_back(0);
    for (OpId op : group) sum += cost.operator_ms(op);
    longest = std::max(longest, sum);
  }
  event.estimated = stage.groups.size() > 1 || stage.groups.front().size() > 1;
  for (std::size_t g = 0; g < stage.groups.size(); ++g) {
    event.row = first_row + static_cast<int>(g);
    double done = 0;
    event.end = begin;
    for (OpId op : stage.groups[g]) {
      done += cost.operator_ms(op);
      event.name = cost.graph().op(op).name;
      event.ops = {op};
      event.start = event.end;
      event.end = done >= longest ? end : std::min(end, begin + (end - begin) * done / longest);
      trace.events.push_back(event);
    }
  }
}

void add_operators(Trace& trace, CostModel& cost, const Schedule& schedule, const Timeline& timeline) {
  for (std::size_t d = 0; d < schedule.devices.size(); ++d) {
    const std::vector<Stage>& stages = schedule.devices[d].stages;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const Stage& stage = stages[s];
      const int first_row = trace.row(static_cast<int>(d), "stream 0");
      TraceEvent event{.row = first_row, .name = {}, .stage = static_cast<int>(s)};
      const auto set = [&](OpId op) {
        event.start = timeline.start[op];
        event.end = timeline.end[op];
      };
      if (stage.strategy == Strategy::merge) {
        set(stage.groups.front().front());
        event.ops = stage.groups.front();
        event.name = merged_name(cost.graph(), event.ops);
        trace.events.push_back(event);
      } else if (schedule.mode == Mode::barrier) {
        set(stage.groups.front().front());
        split_stage(trace, cost, stage, event, first_row);
      } else {
        for (std::size_t g = 0; g < stage.groups.size(); ++g)
          for (OpId op : stage.groups[g]) {
            set(op);
            event.name = cost.graph().op(op).name;
            event.ops = {op};
            event.row = first_row + static_cast<int>(g);
            trace.events.push_back(event);
          }
      }
    }
  }
}

}  // namespace

Trace simulated_trace(CostModel& whole, const Schedule& schedule) {
  const ScheduledCosts costs(whole, schedule);
  CostModel& cost = *costs;
  const Simulation simulation = simulate(cost, schedule);
  Trace trace = empty_trace(cost.graph(), schedule);
  trace.makespan = simulation.timeline.makespan;
  add_operators(trace, cost, schedule, simulation.timeline);
  add_stages(trace, schedule);
  for (const Simulation::Transfer& t : simulation.transfers)
    trace.events.push_back(
        {.kind = TraceEvent::Kind::transfer,
         .row = trace.row(t.to, "from device " + std::to_string(t.from)),
         .name = cost.graph().op(t.producer).name + ": " + std::to_string(t.from) + " -> " + std::to_string(t.to),
         .stage = simulation.slots[t.producer].stage,
         .start = t.start,
         .end = t.end,
         .ops = {t.producer}});
  separate_overlaps(trace);
  return trace;
}

}  // namespace opsched

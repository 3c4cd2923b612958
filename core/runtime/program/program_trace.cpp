#include "core/runtime/program/program_trace.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {

Trace program_trace(const Graph& of, const Schedule& schedule, const Program& program, int element_bytes,
                    const std::vector<StepActivity>& activities) {
  if (activities.empty()) throw Error("nothing was traced");
  const std::shared_ptr<const Graph> scheduled = scheduled_graph(of, schedule);
  const Graph& graph = *scheduled;
  Trace trace = empty_trace(graph, schedule);
  const std::vector<Slot> slots = slots_of(graph, schedule);
  const double zero = std::ranges::min(activities, {}, &StepActivity::start).start;
  for (const StepActivity& a : activities) {
    TraceEvent event{.name = a.kernel,
                     .kernel = a.kernel,
                     .start = a.start - zero,
                     .end = a.end - zero,
                     .blocks = a.blocks,
                     .threads = a.threads,
                     .blocks_per_sm = a.blocks_per_sm};
    trace.makespan = std::max(trace.makespan, event.end);
    if (a.step < 0) {
      event.row = trace.row(a.device, "other");
      trace.events.push_back(std::move(event));
      continue;
    }
    const Step& step = program.steps.at(a.step);
    const Slot& slot = slots[step.op];
    event.name = graph.op(step.op).name;
    event.ops = {step.op};
    if (step.kind == Step::Kind::transfer) {
      const View& from = step.inputs.front();
      const Buffer& source = program.buffers[from.buffer];
      event.kind = TraceEvent::Kind::transfer;
      event.row = trace.row(step.device, "from device " + std::to_string(source.device));
      event.name += ": " + std::to_string(source.device) + " -> " + std::to_string(step.device);
      event.bytes = shape_of(program, from).size() * from.region.images.size() * element_bytes;
    } else {
      event.row = trace.row(step.device, "stream " + std::to_string(step.stream));
    }
    if (slot.placed()) {
      const Stage& stage = schedule.devices[slot.device].stages[slot.stage];
      event.stage = slot.stage;
      if (stage.strategy == Strategy::merge && event.kind == TraceEvent::Kind::compute &&
          step.op == stage.groups.front().front()) {
        event.ops = stage.groups.front();
        event.name = merged_name(graph, event.ops);
      }
    }
    trace.events.push_back(std::move(event));
  }
  add_stages(trace, schedule);
  separate_overlaps(trace);
  return trace;
}

}  // namespace opsched

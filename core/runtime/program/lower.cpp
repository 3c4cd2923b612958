#include <algorithm>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "core/runtime/program/program_builder.hpp"

namespace opsched {
namespace {

/// Device of every operator, inputs included; 0 for stacks.
std::vector<int> devices_of(const Graph& graph, const std::vector<Slot>& slots) {
  std::vector<int> device(graph.size(), 0);
  for (OpId op : graph.units()) device[op] = slots[op].device;
  for (OpId op : graph.inputs()) device[op] = input_device(graph, slots, op);
  return device;
}

class Lowering {
 public:
  Lowering(const Graph& graph, const Schedule& schedule, const LoweringOptions& options)
      : graph_(graph),
        schedule_(schedule),
        slots_(slots_of(graph, schedule)),
        order_(issue_order(graph, schedule)),
        device_(devices_of(graph, slots_)),
        vector_channels_(options.vector_channels),
        builder_(graph, options),
        entry_(schedule.devices.size()) {}

  Program run() {
    const MemoryLayout layout = make_layout();
    builder_.set_layout(layout);
    Program& program = builder_.program();
    program.arena_bytes.assign(schedule_.devices.size(), 0);
    for (const DeviceSchedule& device : schedule_.devices) {
      std::size_t streams = 0;
      for (const Stage& stage : device.stages) streams = std::max(streams, stage.groups.size());
      program.streams.push_back(static_cast<int>(streams));
    }
    groups_ = program.streams;
    for (OpId op : graph_.inputs()) {
      program.inputs.push_back(builder_.view(layout.output(op)));
      add_transfers(layout, op);
    }
    std::vector<bool> done(graph_.size(), false);
    for (OpId op : order_) {
      if (done[op]) continue;
      const Slot& slot = slots_[op];
      const int merge = merge_of_[op];
      builder_.add_unit(op, merge, slot.device, slot.group, entry(layout, slot));
      const std::vector<OpId> unit = merge >= 0 ? layout.merge(merge) : std::vector<OpId>{op};
      for (OpId member : unit) {
        done[member] = true;
        add_transfers(layout, member);
      }
    }
    for (OpId op : graph_.outputs()) program.outputs.push_back(builder_.view(layout.output(op)));
    if (!schedule_.priority.empty())
      for (Step& step : program.steps)
        if (step.kind != Step::Kind::transfer) step.priority = schedule_.priority[step.op];
    return builder_.finish();
  }

 private:
  MemoryLayout make_layout() {
    std::vector<std::vector<OpId>> merges;
    merge_of_.assign(graph_.size(), -1);
    for (const DeviceSchedule& device : schedule_.devices)
      for (const Stage& stage : device.stages) {
        if (stage.strategy != Strategy::merge) continue;
        for (OpId op : stage.groups.front()) merge_of_[op] = static_cast<int>(merges.size());
        merges.push_back(stage.groups.front());
      }
    return MemoryLayout(graph_, device_, std::move(merges), vector_channels_);
  }

  /// Each (source stream, target device) pair has a separate copy stream. So transfers overlap with computation and
  /// with one another, and none waits for the output of another stream.
  int copy_stream(int from, int stream, int to) {
    const auto [it, fresh] = copy_streams_.try_emplace({from, stream, to}, builder_.program().streams[to]);
    if (fresh) ++builder_.program().streams[to];
    return it->second;
  }

  void add_transfers(const MemoryLayout& layout, OpId op) {
    for (const Import& import : layout.imports(op))
      builder_.add_transfer(op, import, device_[op],
                            copy_stream(device_[op], std::max(0, slots_[op].group), import.device));
  }

  /// Steps that must have ended before any step of this stage begins: those of the preceding stage on the device, and
  /// transfers from other devices into the stage. None in dataflow mode.
  std::span<const int> entry(const MemoryLayout& layout, const Slot& slot) {
    Entry& entry = entry_[slot.device];
    if (schedule_.mode == Mode::dataflow || entry.stage == slot.stage) return entry.after;
    entry.stage = slot.stage;
    entry.after.clear();
    for (int stream = 0; stream < groups_[slot.device]; ++stream)
      if (const int last = builder_.last_step(slot.device, stream); last >= 0) entry.after.push_back(last);
    for (const Group& group : schedule_.devices[slot.device].stages[slot.stage].groups)
      for (OpId op : group)
        for (const Term& term : graph_.op(op).terms)
          for (const Value& v : term)
            if (receives(op, v))
              for (int step : builder_.writers(builder_.view(layout.value(v, op)))) entry.after.push_back(step);
    return entry.after;
  }

  bool receives(OpId op, const Value& v) const {
    return std::ranges::any_of(graph_.producers(graph_.op(op), v), [&](OpId p) { return device_[p] != device_[op]; });
  }

  struct Entry {
    int stage = -1;
    std::vector<int> after;
  };

  const Graph& graph_;
  const Schedule& schedule_;
  std::vector<Slot> slots_;
  std::vector<OpId> order_;
  std::vector<int> device_;
  std::vector<int> merge_of_;
  int vector_channels_;
  ProgramBuilder builder_;
  std::vector<Entry> entry_;  ///< by device
  std::vector<int> groups_;   ///< compute streams by device
  std::map<std::tuple<int, int, int>, int> copy_streams_;
};

}  // namespace

Program lower(const Graph& graph, const Schedule& schedule, const LoweringOptions& options) {
  const std::shared_ptr<const Graph> scheduled = scheduled_graph(graph, schedule);
  validate(*scheduled, schedule);
  return Lowering(*scheduled, schedule, options).run();
}

std::int64_t transfer_bytes(const Program& program, int element_bytes) {
  std::int64_t elements = 0;
  for (const Step& step : program.steps) {
    if (step.kind != Step::Kind::transfer) continue;
    const View& moved = step.inputs.front();
    elements += shape_of(program, moved).size() * moved.region.images.size();
  }
  return elements * element_bytes;
}

int wait_count(const Program& program) {
  std::size_t count = 0;
  for (const Step& step : program.steps) count += step.waits.size();
  return static_cast<int>(count);
}

}  // namespace opsched

#include "core/runtime/sim/prepared.hpp"

#include <algorithm>
#include <map>

#include "core/cost/contention/features.hpp"
#include "core/cost/evaluate.hpp"
#include "core/runtime/sim/sums_done.hpp"

namespace opsched {
namespace {

constexpr double kNothing = 1e-4;  // ms; joins written in place cost less, and have no kernel

/// Which operators read from, or are read by, another device.
std::vector<bool> remote_operators(const Graph& graph, const std::vector<Slot>& slots) {
  std::vector<bool> remote(graph.size(), false);
  const auto link = [&](OpId reader, OpId op, int device) {
    if (slots[reader].device != device) remote[reader] = remote[op] = true;
  };
  for (OpId op : graph.inputs())
    for (OpId reader : graph.succs(op)) link(reader, op, input_device(graph, slots, op));
  for (OpId op : graph.units())
    for (OpId reader : graph.succs(op)) link(reader, op, slots[op].device);
  return remote;
}

}  // namespace

double PreparedSchedule::Extra::ms(const ContentionLaw& law) const {
  const double switching = kernels == 0 ? 0 : kernels == 1 ? law.switch_ms : law.chain_switch_ms;
  return switching + law.sum_share * std::max(0.0, sum_ms - law.start_ms) + (remote ? law.remote_ms : 0);
}

double PreparedSchedule::Unit::extra_ms(const ContentionLaw& law) const {
  double longest = 0;
  for (const std::vector<Extra>& group : extras) {
    double chain = 0;
    for (const Extra& extra : group) chain = merge ? std::max(chain, extra.ms(law)) : chain + extra.ms(law);
    longest = std::max(longest, chain);
  }
  return longest;
}

PreparedSchedule::PreparedSchedule(Latencies& cost, const Schedule& schedule)
    : mode(schedule.mode),
      topology(cost.topology()),
      devices(static_cast<int>(schedule.devices.size())),
      further_devices(further_devices_ms({.device_ms = 1}, schedule)),
      slots(slots_of(cost.graph(), schedule)),
      outputs(cost.graph().size()),
      unit_of_(cost.graph().size(), -1),
      remote_(remote_operators(cost.graph(), slots)),
      sum_done_by_(sums_done(cost.graph(), cost.conv_sums(), schedule, slots)) {
  const Graph& graph = cost.graph();
  if (mode == Mode::barrier)
    add_stages(cost, schedule);
  else
    add_dataflow_units(cost, schedule);
  for (OpId op = 0; op < graph.size(); ++op)
    if (unit_of_[op] >= 0) {
      outputs[op].device = slots[op].device;
      add_readers(cost, op);
    }
  for (OpId op : graph.inputs()) {
    inputs.push_back(op);
    outputs[op].device = input_device(graph, slots, op);
    add_readers(cost, op);
  }
}

PreparedSchedule::Extra PreparedSchedule::extra(Latencies& cost, OpId op) const {
  if (is_done(op)) return {};
  const double ms = cost.operator_ms(op);
  return {.kernels = ms < kNothing ? 0 : is_chain(cost.graph().op(op)) ? 2 : 1, .remote = remote_[op] && ms > kNothing};
}

/// Sets the latency of a stage without the sums that convolutions of earlier stages do, if at most one operator
/// remains. Of several, the stage as it was measured is closest.
void PreparedSchedule::leave_out_sums(Latencies& cost, const Stage& stage, Unit& unit) const {
  const int at = slots[unit.ops.front()].stage;
  std::vector<OpId> rest;
  for (OpId op : unit.ops)
    if (!std::ranges::any_of(sum_done_by_[op], [&](OpId conv) { return slots[conv].stage != at; })) rest.push_back(op);
  if (rest.size() == unit.ops.size() || rest.size() > 1) return;
  unit.ms = rest.empty() ? 0 : cost.operator_ms(rest.front());
  for (std::size_t g = 0; g < stage.groups.size(); ++g)
    for (std::size_t i = 0; i < stage.groups[g].size(); ++i)
      if (const OpId op = stage.groups[g][i]; std::ranges::count(rest, op) == 0)
        unit.extras[g][i].sum_ms = cost.operator_ms(op);
}

void PreparedSchedule::add_stages(Latencies& cost, const Schedule& schedule) {
  for (const DeviceSchedule& device : schedule.devices) cost.prefetch(device.stages);
  for (int d = 0; d < devices; ++d) {
    const std::vector<Stage>& stages = schedule.devices[d].stages;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const int id = static_cast<int>(units.size());
      Unit unit{.device = d, .ms = cost.stage_ms(stages[s]), .merge = stages[s].strategy == Strategy::merge};
      unit.waits = s > 0 ? 1 : 0;
      if (s + 1 < stages.size()) unit.next = id + 1;
      for (const Group& group : stages[s].groups) {
        unit.extras.emplace_back();
        for (OpId op : group) {
          unit_of_[op] = id;
          unit.ops.push_back(op);
          unit.extras.back().push_back(extra(cost, op));
        }
      }
      leave_out_sums(cost, stages[s], unit);
      units.push_back(std::move(unit));
    }
  }
}

void PreparedSchedule::add_dataflow_units(Latencies& cost, const Schedule& schedule) {
  for (int d = 0; d < devices; ++d) {
    std::map<int, int> last;  // unit on each stream
    const auto add = [&](const Group& ops, std::size_t stream, double ms, double utilisation) {
      const int id = static_cast<int>(units.size());
      Unit unit{.ops = ops, .device = d, .stream = static_cast<int>(stream), .ms = ms, .utilisation = utilisation};
      for (OpId op : ops) unit_of_[op] = id;
      Extra own = extra(cost, ops.front());
      if (is_done(ops.front())) own.sum_ms = cost.operator_ms(ops.front());
      own.remote = ms > kNothing && std::ranges::any_of(ops, [&](OpId op) { return remote_[op]; });
      unit.extras = {{own}};
      if (const auto it = last.find(unit.stream); it != last.end()) {
        units[it->second].next = id;
        unit.waits = 1;
      }
      last[unit.stream] = id;
      units.push_back(std::move(unit));
    };
    for (const Stage& stage : schedule.devices[d].stages)
      for (std::size_t g = 0; g < stage.groups.size(); ++g)
        if (stage.strategy == Strategy::merge) {
          double utilisation = 0;
          for (OpId op : stage.groups[g]) utilisation += cost.utilisation(op);
          add(stage.groups[g], g, cost.stage_ms(stage), std::min(1.0, utilisation));
        } else {
          for (OpId op : stage.groups[g]) add({op}, g, is_done(op) ? 0 : cost.operator_ms(op), cost.utilisation(op));
        }
  }
}

void PreparedSchedule::add_readers(Latencies& cost, OpId op) {
  Output& output = outputs[op];
  std::map<int, double> longest;  // by destination
  for (OpId id : cost.graph().succs(op)) {
    const int to = slots[id].device;
    Reader reader{.unit = unit_of_[id]};
    if (to != output.device) {
      reader.transfer_ms = cost.transfer_ms(op, id, output.device, to);
      double& ms = longest[to];
      ms = std::max(ms, reader.transfer_ms);
    } else if (unit_of_[op] < 0 || reader.unit == unit_of_[op]) {
      continue;
    } else {
      reader.other_stream =
          mode == Mode::dataflow && !is_done(id) && units[reader.unit].stream != units[unit_of_[op]].stream;
    }
    ++units[reader.unit].waits;
    output.readers.push_back(reader);
  }
  output.transfers.assign(longest.begin(), longest.end());
  for (Reader& reader : output.readers)
    if (const int to = units[reader.unit].device; to != output.device)
      reader.transfer = static_cast<int>(std::distance(longest.begin(), longest.find(to)));
}

}  // namespace opsched

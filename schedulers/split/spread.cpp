#include "schedulers/split/spread.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/graph/strips.hpp"

namespace opsched {
namespace {

/// Can every strip be computed from some rows of the input?
bool has_strips(const Graph& graph, const Split& split) {
  const Operator& op = graph.op(split.op);
  if (split.along == Along::images) return true;
  const int rows = extent(op, graph.batch(), split.along);
  try {
    for (std::size_t i = 0; i <= split.begins.size(); ++i) strip_of(op, range_of(split, i, rows));
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// Operators of the split graph, by the operator that they come from.
std::vector<std::vector<OpId>> parts_of(const Graph& split) {
  std::vector<std::vector<OpId>> parts(split.unsplit().size());
  for (OpId op : split.units()) parts[split.origin(op)].push_back(op);
  return parts;
}

}  // namespace

std::vector<Split> even_splits(const Graph& graph, const std::vector<bool>& which, int strips, Along along) {
  std::vector<Split> splits;
  for (OpId op : graph.units()) {
    if (!which[op] || strips < 2 || extent(graph.op(op), graph.batch(), along) < strips ||
        !why_whole(graph, op, along).empty())
      continue;
    Split split = even_split(graph, op, strips, 1, along);
    if (has_strips(graph, split)) splits.push_back(std::move(split));
  }
  return splits;
}

std::vector<Split> even_splits(const Graph& graph, int strips, Along along) {
  return even_splits(graph, std::vector<bool>(graph.size(), true), strips, along);
}

std::vector<int> place_strips(Latencies& cost, const std::vector<OpId>& order, int devices) {
  const Graph& graph = cost.graph();
  const std::vector<std::vector<OpId>> parts = parts_of(graph);
  std::vector<int> device_of(graph.size(), 0);
  std::vector<double> end(graph.size(), 0.0), free(devices, 0.0);
  const auto end_on = [&](OpId op, int device) {
    double start = free[device];
    for (OpId p : graph.preds(op))
      if (graph.op(p).is_unit())
        start = std::max(start, end[p] + (device_of[p] == device ? 0 : cost.transfer_ms(p, op, device_of[p], device)));
    return start + cost.operator_ms(op);
  };
  for (OpId origin : order)
    for (OpId op : parts[origin]) {
      int best = 0;
      if (graph.strip(op) >= 0) {
        best = graph.strip(op) % devices;
      } else {
        for (int d = 1; d < devices; ++d)
          if (end_on(op, d) < end_on(op, best)) best = d;
      }
      end[op] = free[best] = end_on(op, best);
      device_of[op] = best;
    }
  return device_of;
}

Schedule spread(const Graph& split, const Schedule& base, const std::vector<int>& device_of, int devices) {
  const std::vector<std::vector<OpId>> parts = parts_of(split);
  Schedule schedule{.mode = Mode::dataflow, .splits = split.splits()};
  const auto add = [&](std::vector<OpId>& to, OpId origin, int device) {
    for (OpId op : parts[origin])
      if (device < 0 || device_of[op] == device) to.push_back(op);
  };
  for (OpId op : base.launch_order) add(schedule.launch_order, op, -1);
  for (int d = 0; d < devices; ++d) {
    DeviceSchedule& device = schedule.devices.emplace_back();
    for (const Stage& stage : base.devices.front().stages) {
      Stage here;
      bool empty = true;
      for (const Group& group : stage.groups) {
        Group& of = here.groups.emplace_back();
        for (OpId op : group) add(of, op, d);
        empty = empty && of.empty();
      }
      if (!empty) device.stages.push_back(std::move(here));
    }
  }
  return schedule;
}

}  // namespace opsched

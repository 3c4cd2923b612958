#include "core/schedule/schedule.hpp"

#include <algorithm>

#include "core/schedule/order_graph.hpp"

namespace opsched {

std::shared_ptr<const Graph> scheduled_graph(const Graph& graph, const Schedule& schedule) {
  const auto as_it_is = [](const Graph& g) { return std::shared_ptr<const Graph>(std::shared_ptr<void>(), &g); };
  if (schedule.splits.empty() || schedule.splits == graph.splits()) return as_it_is(graph);
  return std::make_shared<const Graph>(graph.unsplit().with_splits(schedule.splits));
}

Schedule stated(const Graph& graph, Schedule schedule) {
  if (schedule.splits.empty()) schedule.splits = graph.splits();
  return schedule;
}

std::vector<Slot> slots_of(const Graph& graph, const Schedule& schedule) {
  std::vector<Slot> slots(graph.size());
  for (int d = 0; d < static_cast<int>(schedule.devices.size()); ++d) {
    const auto& stages = schedule.devices[d].stages;
    for (int s = 0; s < static_cast<int>(stages.size()); ++s)
      for (int g = 0; g < static_cast<int>(stages[s].groups.size()); ++g)
        for (int p = 0; p < static_cast<int>(stages[s].groups[g].size()); ++p)
          slots[stages[s].groups[g][p]] = {d, s, g, p};
  }
  return slots;
}

int input_device(const Graph& graph, std::span<const Slot> slots, OpId input) {
  const auto readers = graph.succs(input);
  return readers.empty() ? 0 : slots[readers.front()].device;
}

bool can_merge(const Graph& graph, std::span<const OpId> ops) {
  if (ops.empty()) return false;
  const Operator& first = graph.op(ops.front());
  const Conv2d* like = first.as_conv();
  if (!like) return false;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Operator& op = graph.op(ops[i]);
    const Conv2d* conv = op.as_conv();
    if (!conv || op.relieved || op.is_strip() || conv->groups != 1 || conv->stride != like->stride ||
        conv->act != like->act || conv->dilation != like->dilation || conv->more_padding != like->more_padding)
      return false;
    if (op.terms != first.terms || op.output.h != first.output.h || op.output.w != first.output.w) return false;
    for (int d : {0, 1}) {
      if (conv->kernel[d] % 2 == 0) return false;
      // The window's centre must sit on the same pixel, so that padding the smaller kernel is exact.
      const auto centre = [d](const Conv2d& c) { return c.padding[d] - c.dilation[d] * (c.kernel[d] / 2); };
      if (centre(*conv) != centre(*like)) return false;
    }
    if (std::ranges::find(ops.begin(), ops.begin() + i, ops[i]) != ops.begin() + i) return false;
  }
  return true;
}

Conv2d merged_conv(const Graph& graph, std::span<const OpId> ops) {
  Conv2d merged = *graph.op(ops.front()).as_conv();
  for (OpId id : ops.subspan(1)) {
    const Conv2d& conv = *graph.op(id).as_conv();
    merged.out_channels += conv.out_channels;
    for (int d : {0, 1}) {
      merged.kernel[d] = std::max(merged.kernel[d], conv.kernel[d]);
      merged.padding[d] = std::max(merged.padding[d], conv.padding[d]);
    }
  }
  return merged;
}

std::vector<OpId> issue_order(const Graph& of, const Schedule& schedule) {
  if (!schedule.launch_order.empty()) return schedule.launch_order;
  const std::shared_ptr<const Graph> scheduled = scheduled_graph(of, schedule);
  const Graph& graph = *scheduled;
  const OrderGraph order = order_graph(graph, schedule);
  std::vector<OpId> ops;
  for (int v : topological_order(order.dag, [&](int u) { return graph.op(order.operators[u].front()).name; }))
    ops.insert(ops.end(), order.operators[v].begin(), order.operators[v].end());
  return ops;
}

int stage_count(const Schedule& schedule) {
  int count = 0;
  for (const DeviceSchedule& device : schedule.devices) count += static_cast<int>(device.stages.size());
  return count;
}

std::string to_string(Strategy strategy) { return strategy == Strategy::merge ? "merge" : "concurrent"; }
std::string to_string(Mode mode) { return mode == Mode::dataflow ? "dataflow" : "barrier"; }

}  // namespace opsched

#include "core/cost/bounds.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {

const char* bound_name(bool bounds_hold) { return bounds_hold ? "lower bound" : "estimated bound"; }

double Bounds::lower() const { return std::max(critical_path, work); }

double Bounds::gap(double makespan) const { return lower() > 0 ? makespan / lower() - 1 : 0; }

std::vector<double> remaining_ms(Latencies& cost) {
  const Graph& graph = cost.graph();
  std::vector<double> remaining(graph.size(), 0.0);
  for (OpId op = graph.size() - 1; op >= 0; --op) {
    for (OpId reader : graph.succs(op)) remaining[op] = std::max(remaining[op], remaining[reader]);
    if (graph.op(op).is_unit()) remaining[op] += cost.operator_ms(op);
  }
  return remaining;
}

Bounds lower_bounds(Latencies& cost, int devices, Mode mode) {
  if (devices < 1) throw Error("the number of devices must be at least 1, not " + std::to_string(devices));
  Bounds bounds;
  for (double remaining : remaining_ms(cost)) bounds.critical_path = std::max(bounds.critical_path, remaining);
  for (OpId op : cost.graph().units()) {
    double ms = cost.work_ms(op);
    if (mode == Mode::dataflow) ms = std::min(ms, cost.operator_ms(op) * cost.utilisation(op));
    bounds.work += ms / devices;
  }
  return bounds;
}

Bounds lower_bounds(CostModel& cost, const Schedule& schedule) {
  const ScheduledCosts costs(cost, schedule);
  return lower_bounds(*costs, static_cast<int>(schedule.devices.size()), schedule.mode);
}

std::vector<double> slack_ms(Latencies& cost) {
  const Graph& graph = cost.graph();
  const std::vector<double> remaining = remaining_ms(cost);
  std::vector<double> start(graph.size(), 0.0), end(graph.size(), 0.0);
  double longest = 0;
  for (OpId op : graph.units()) {
    for (OpId p : graph.preds(op)) start[op] = std::max(start[op], end[p]);
    end[op] = start[op] + cost.operator_ms(op);
    longest = std::max(longest, end[op]);
  }
  std::vector<double> slack(graph.size(), 0.0);
  for (OpId op : graph.units()) slack[op] = std::max(0.0, longest - start[op] - remaining[op]);
  return slack;
}

}  // namespace opsched

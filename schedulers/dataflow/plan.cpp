#include "schedulers/dataflow/plan.hpp"

#include <algorithm>
#include <utility>

#include "core/graph/ready_list.hpp"

namespace opsched {
namespace {

std::vector<int> unit_of(const Graph& graph, const DataflowPlan& plan) {
  std::vector<int> unit(graph.size(), -1);
  for (std::size_t u = 0; u < plan.units.size(); ++u)
    for (OpId op : plan.units[u]) unit[op] = static_cast<int>(u);
  return unit;
}

bool is_merge(const std::vector<OpId>& unit) { return unit.size() > 1; }

}  // namespace

DataflowPlan plan_of(const Graph& graph, const Schedule& schedule) {
  const std::vector<Slot> slots = slots_of(graph, schedule);
  DataflowPlan plan;
  std::vector<bool> done(graph.size(), false);
  for (OpId op : issue_order(graph, schedule)) {
    if (done[op]) continue;
    const Stage& stage = schedule.devices[slots[op].device].stages[slots[op].stage];
    plan.order.push_back(static_cast<int>(plan.units.size()));
    plan.stream.push_back(slots[op].group);
    plan.units.push_back(stage.strategy == Strategy::merge ? stage.groups.front() : Group{op});
    for (OpId member : plan.units.back()) done[member] = true;
  }
  return plan;
}

DataflowPlan plan_of(const Graph& graph, const std::vector<OpId>& order, std::span<const Group> streams) {
  std::vector<int> stream(graph.size(), 0);
  for (std::size_t s = 0; s < streams.size(); ++s)
    for (OpId op : streams[s]) stream[op] = static_cast<int>(s);
  DataflowPlan plan;
  for (OpId op : order) {
    plan.order.push_back(static_cast<int>(plan.units.size()));
    plan.units.push_back({op});
    plan.stream.push_back(stream[op]);
  }
  return plan;
}

UnitEdges edges_of(const Graph& graph, const DataflowPlan& plan) {
  const std::vector<int> unit = unit_of(graph, plan);
  UnitEdges edges{.preds = std::vector<std::vector<int>>(plan.units.size()),
                  .succs = std::vector<std::vector<int>>(plan.units.size())};
  for (std::size_t u = 0; u < plan.units.size(); ++u) {
    std::vector<int>& preds = edges.preds[u];
    for (OpId op : plan.units[u])
      for (OpId p : graph.preds(op))
        if (unit[p] >= 0) preds.push_back(unit[p]);
    std::ranges::sort(preds);
    preds.erase(std::unique(preds.begin(), preds.end()), preds.end());
    for (int p : preds) edges.succs[p].push_back(static_cast<int>(u));
  }
  return edges;
}

Schedule schedule_of(const Graph& graph, const DataflowPlan& plan) {
  std::vector<int> number;  // stream of the schedule, by stream of the plan
  int used = 0;
  if (std::ranges::any_of(plan.units, is_merge)) number = {used++};
  Schedule schedule;
  schedule.graph = graph.name();
  schedule.mode = Mode::dataflow;
  schedule.devices.resize(1);
  std::vector<Stage>& stages = schedule.devices.front().stages;
  for (int u : plan.order) {
    const std::vector<OpId>& unit = plan.units[u];
    schedule.launch_order.insert(schedule.launch_order.end(), unit.begin(), unit.end());
    if (is_merge(unit)) {
      stages.push_back({.strategy = Strategy::merge, .groups = {unit}});
      continue;
    }
    const std::size_t stream = plan.stream[u];
    if (number.size() <= stream) number.resize(stream + 1, -1);
    if (number[stream] < 0) number[stream] = used++;
    if (stages.empty() || stages.back().strategy == Strategy::merge) stages.emplace_back();
    std::vector<Group>& groups = stages.back().groups;
    if (static_cast<int>(groups.size()) <= number[stream]) groups.resize(number[stream] + 1);
    groups[number[stream]].push_back(unit.front());
  }
  return schedule;
}

DataflowPlan relaunched(const Graph& graph, const DataflowPlan& plan, std::span<const double> key) {
  std::vector<std::vector<int>> succs = edges_of(graph, plan).succs;
  std::vector<int> last(1 + *std::ranges::max_element(plan.stream), -1);
  for (int u : plan.order) {
    int& before = last[plan.stream[u]];
    if (before >= 0) succs[before].push_back(u);
    before = u;
  }
  DataflowPlan result = plan;
  result.order.clear();
  for (ReadyList ready(std::move(succs)); !ready.empty(); ready.finish({result.order.back()}))
    result.order.push_back(*std::ranges::min_element(ready.ready(), {}, [&](int u) { return std::pair(-key[u], u); }));
  return result;
}

std::vector<double> by_unit(const DataflowPlan& plan, std::span<const double> by_operator) {
  std::vector<double> values;
  for (const std::vector<OpId>& unit : plan.units) {
    values.push_back(by_operator[unit.front()]);
    for (OpId op : unit) values.back() = std::max(values.back(), by_operator[op]);
  }
  return values;
}

}  // namespace opsched

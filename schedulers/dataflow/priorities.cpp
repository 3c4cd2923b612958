#include "schedulers/dataflow/priorities.hpp"

#include <algorithm>

#include "core/cost/bounds.hpp"

namespace opsched {
namespace {

/// Priority classes: the smaller the number of an operator, the higher its class.
std::vector<int> classes(const Graph& graph, const std::vector<double>& number) {
  const auto units = graph.units();
  std::vector<OpId> order(units.begin(), units.end());
  std::ranges::stable_sort(order, {}, [&](OpId op) { return number[op]; });
  std::vector<int> priority(graph.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i)
    priority[order[i]] = kMostPriority - static_cast<int>(i * (kMostPriority + 1) / order.size());
  return priority;
}

}  // namespace

std::vector<PriorityRule> priority_rules(Latencies& cost) {
  constexpr double kTight = 0.01;
  const Graph& graph = cost.graph();
  const std::vector<double> slack = slack_ms(cost), remaining = remaining_ms(cost);
  double longest = 0;
  for (double ms : remaining) longest = std::max(longest, ms);
  std::vector<int> critical(graph.size(), 0);
  std::vector<double> taken(graph.size(), 0.0);
  for (OpId op : graph.units()) {
    if (slack[op] <= kTight * longest) critical[op] = kMostPriority;
    taken[op] = cost.operator_ms(op) * cost.utilisation(op);
  }
  return {{"critical", std::move(critical)}, {"slack", classes(graph, slack)}, {"light", classes(graph, taken)}};
}

}  // namespace opsched

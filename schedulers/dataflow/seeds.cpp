#include "schedulers/dataflow/seeds.hpp"

#include <algorithm>
#include <set>

#include "core/schedule/schedule_text.hpp"
#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/streams.hpp"

namespace opsched {
namespace {

constexpr int kStreams[] = {1, 2, 3, 4, 6, 8, 12, 16};

std::vector<std::vector<OpId>> orders_of(Latencies& cost) {
  std::vector<std::vector<OpId>> orders = {resource_order(cost)};
  for (const LaunchKey& rule : launch_keys(cost)) orders.push_back(ready_order(cost.graph(), rule.key));
  return orders;
}

/// Puts operators in this order on the streams where they start first. Ties go to the stream of the operator that the
/// new one waits for longest, where no wait is needed.
std::vector<Group> list_streams(Latencies& cost, const std::vector<OpId>& order, int streams) {
  const Graph& graph = cost.graph();
  std::vector<Group> result(streams);
  std::vector<double> free(streams, 0.0), end(graph.size(), 0.0);
  std::vector<int> stream(graph.size(), -1);
  for (OpId op : order) {
    double ready = 0;
    int latest = -1;
    for (OpId p : graph.preds(op)) {
      if (stream[p] < 0) continue;
      if (latest < 0 || end[p] > ready) latest = stream[p];
      ready = std::max(ready, end[p]);
    }
    int best = std::max(latest, 0);
    for (int s = 0; s < streams; ++s)
      if (std::max(free[s], ready) < std::max(free[best], ready)) best = s;
    stream[op] = best;
    free[best] = end[op] = std::max(free[best], ready) + cost.operator_ms(op);
    result[best].push_back(op);
  }
  return result;
}

}  // namespace

std::vector<DataflowSeed> dataflow_seeds(Latencies& cost, int most_streams) {
  const Graph& graph = cost.graph();
  const std::vector<std::vector<OpId>> orders = orders_of(cost);
  std::vector<DataflowSeed> seeds;
  std::set<std::string> seen;
  const auto add = [&](const char* family, const std::vector<OpId>& order, const std::vector<Group>& streams) {
    DataflowPlan plan = plan_of(graph, order, streams);
    if (seen.insert(to_text(schedule_of(graph, plan))).second) seeds.push_back({family, std::move(plan)});
  };
  const std::vector<std::pair<const char*, std::vector<Group>>> allocations = {
      {"opara", opara_paths(graph)}, {"nimble", nimble_paths(graph)}, {"chains", chain_paths(graph)}};
  for (const int streams : kStreams) {
    if (streams > most_streams) break;
    for (const auto& [family, paths] : allocations) {
      const std::vector<Group> joined = join_paths(cost, paths, streams);
      for (const std::vector<OpId>& order : orders) add(family, order, joined);
    }
    for (const std::vector<OpId>& order : orders) add("list", order, list_streams(cost, order, streams));
  }
  return seeds;
}

}  // namespace opsched

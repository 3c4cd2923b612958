#include "schedulers/dataflow/launch_order.hpp"

#include <algorithm>

#include "core/cost/bounds.hpp"
#include "core/graph/ready_list.hpp"

namespace opsched {
namespace {

/// Multiply-accumulates for every value read, weights included, or written.
double intensity(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  double moved = static_cast<double>(op.output.size() + values_read(op)) * graph.images(op);
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    moved += static_cast<double>(layer_weights(layer, shape));
    shape = infer_shape(layer, shape);
  }
  return static_cast<double>(graph.macs(id)) * graph.images(id) / moved;
}

}  // namespace

std::vector<LaunchKey> launch_keys(Latencies& cost) {
  const Graph& graph = cost.graph();
  std::vector<double> tightness = slack_ms(cost), latency(graph.size(), 0.0), id(graph.size(), 0.0);
  for (double& slack : tightness) slack = -slack;
  for (OpId op : graph.units()) {
    latency[op] = cost.operator_ms(op);
    id[op] = -op;
  }
  return {{"critical-path", remaining_ms(cost)},
          {"least-slack", std::move(tightness)},
          {"longest", std::move(latency)},
          {"topological", std::move(id)}};
}

std::vector<OpId> ready_order(const Graph& graph, std::span<const double> key) {
  std::vector<OpId> order;
  ReadyList ready(graph);
  while (!ready.empty()) {
    order.push_back(*std::ranges::max_element(ready.ready(), {}, [&](OpId op) { return key[op]; }));
    ready.finish({order.back()});
  }
  return order;
}

std::vector<OpId> critical_path_order(Latencies& cost) { return ready_order(cost.graph(), remaining_ms(cost)); }

std::vector<OpId> resource_order(Latencies& cost) {
  const Graph& graph = cost.graph();
  std::vector<double> intensities(graph.size(), 0.0);
  std::vector<double> sorted;
  for (OpId op : graph.units()) sorted.push_back(intensities[op] = intensity(graph, op));
  std::ranges::sort(sorted);
  const double median = sorted.empty() ? 0.0 : sorted[(sorted.size() - 1) / 2];

  std::vector<OpId> order;
  ReadyList ready(graph);
  bool want_compute = true;
  while (!ready.empty()) {
    // The wanted kind first (false before true), then the smallest utilisation.
    const OpId op = *std::ranges::min_element(ready.ready(), {}, [&](OpId id) {
      return std::pair((intensities[id] > median) != want_compute, cost.utilisation(id));
    });
    want_compute = intensities[op] <= median;
    order.push_back(op);
    ready.finish({op});
  }
  return order;
}

}  // namespace opsched

#include "experiments/studies/roofline.hpp"

#include <algorithm>
#include <map>

#include "core/cost/bounds.hpp"
#include "core/error.hpp"

namespace opsched {
namespace {

constexpr int kChannels = 4096, kSide = 64;  // 69 G multiply-accumulates
constexpr Shape kLarge = {128, 512, 512};    // 32 M values per tensor

/// Solo latency of the last operator of a graph.
double solo_ms(Device& device, const Graph& graph, Precision precision) {
  const std::unique_ptr<CostModel> costs = device.costs(graph, precision);
  const OpId op = graph.size() - 1;
  if (!costs->stage_known({.strategy = Strategy::concurrent, .groups = {{op}}}) && !device.measures())
    throw Error("the peak rates of the device are not recorded in " + to_string(precision) +
                "; run opsched roofline on the GPU first");
  return costs->operator_ms(op);
}

}  // namespace

DeviceLimits measure_limits(Device& device, Precision precision) {
  DeviceLimits limits;
  Graph dense("large convolution", 1);
  const OpId image = dense.add_input("input", {kChannels, kSide, kSide});
  dense.add("conv", {dense.all(image)}, {Conv2d{.out_channels = kChannels, .act = Activation::relu}});
  dense.end_block("all");
  limits.macs_per_ms = static_cast<double>(dense.macs()) / solo_ms(device, dense, precision);
  Graph light("large sum", 1);
  const OpId a = light.add_input("a", kLarge), b = light.add_input("b", kLarge);
  light.add("sum", {{light.all(a).front(), light.all(b).front()}}, {});
  light.end_block("all");
  const double bytes = 3.0 * static_cast<double>(kLarge.size()) * static_cast<double>(element_bytes(precision));
  limits.bytes_per_ms = bytes / solo_ms(device, light, precision);
  return limits;
}

Roofline roofline(CostModel& costs, Precision precision, const DeviceLimits& limits) {
  const Graph& graph = costs.graph();
  Roofline result;
  result.critical_path = lower_bounds(costs, 1).critical_path;
  result.arithmetic = static_cast<double>(graph.macs()) * graph.batch() / limits.macs_per_ms;
  std::int64_t parameters = 0, values = 0;
  for (OpId op : graph.units()) parameters += graph.parameters(op);
  for (OpId op : graph.inputs()) values += graph.op(op).output.size();
  for (OpId op : graph.outputs()) values += graph.op(op).output.size();
  const double elements = static_cast<double>(parameters) + static_cast<double>(values) * graph.batch();
  result.memory = elements * static_cast<double>(element_bytes(precision)) / limits.bytes_per_ms;
  return result;
}

TimeSpent time_spent(const Trace& trace, int multiprocessors) {
  TimeSpent spent;
  std::map<double, std::pair<int, std::int64_t>> changes;  // time -> change in running kernels and blocks
  for (const TraceEvent& e : trace.events) {
    if (e.kind != TraceEvent::Kind::compute || trace.rows[e.row].device != 0) continue;
    if (e.blocks > 0) ++spent.kernels;  // a kernel may come with a memset, which has no blocks
    changes[e.start].first += 1, changes[e.start].second += e.blocks;
    changes[e.end].first -= 1, changes[e.end].second -= e.blocks;
  }
  if (spent.kernels == 0) throw Error("a simulated run has no kernel sizes; trace on a GPU");
  double now = 0;
  int kernels = 0;
  std::int64_t blocks = 0;
  const auto pass = [&](double until) {
    double& part = kernels == 0 ? spent.idle : blocks < multiprocessors ? spent.small : spent.full;
    part += std::max(0.0, until - now);
    now = std::max(now, until);
  };
  for (const auto& [time, change] : changes) {
    pass(time);
    kernels += change.first;
    blocks += change.second;
  }
  pass(trace.makespan);
  return spent;
}

}  // namespace opsched

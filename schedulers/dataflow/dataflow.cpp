// No barriers: every operator starts as soon as its inputs and its stream allow. Streams are allocated as in Opara by
// default.
#include <algorithm>

#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/streams.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

Schedule make_dataflow(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const std::string allocation = options.choice("allocation", "opara", {"opara", "nimble", "chains"});
  const std::string order = options.choice("order", "critical-path", {"critical-path", "resource", "topological"});
  const int most = options.limit("streams", 16, 1);
  const Graph& graph = request.cost.graph();

  std::vector<Group> paths = allocation == "opara"    ? opara_paths(graph)
                             : allocation == "nimble" ? nimble_paths(graph)
                                                      : chain_paths(graph);
  std::vector<Group> streams = join_paths(request.cost, std::move(paths), most);

  Schedule schedule;
  schedule.mode = Mode::dataflow;
  schedule.launch_order = order == "critical-path" ? critical_path_order(request.cost)
                          : order == "resource"    ? resource_order(request.cost)
                                                   : graph.units();
  std::vector<int> at(graph.size(), -1);
  for (std::size_t i = 0; i < schedule.launch_order.size(); ++i) at[schedule.launch_order[i]] = static_cast<int>(i);
  for (Group& stream : streams) std::ranges::sort(stream, {}, [&](OpId op) { return at[op]; });
  schedule.devices = {{.stages = {{.strategy = Strategy::concurrent, .groups = std::move(streams)}}}};
  return schedule;
}

}  // namespace

SchedulerInfo dataflow_scheduler() {
  return {.name = "dataflow",
          .summary = "streams without barriers (Opara's allocation; Nimble's as an option)",
          .max_devices = 1,
          .options = {{"allocation", "opara (default), nimble, or chains: as few streams as the graph is wide"},
                      {"order", "launch order: critical-path (default), resource (Opara's) or topological"},
                      {"streams", "maximum number of streams, or 'unlimited' (default 16)"}},
          .make = make_dataflow};
}

}  // namespace opsched

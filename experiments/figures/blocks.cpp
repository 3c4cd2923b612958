// IOS, figure "block by block": where in Inception V3 the gain comes from.
#include <map>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// Latency of every block: the sum over its stages, which end at barriers and were each timed in a CUDA
/// graph of their own. Blocks are never cut from the network, so that their inputs lie as they do in it.
std::vector<Row> gather(Lab& lab, const bench::Case& what) {
  const bench::Found found = lab.runner().find(what);
  CostModel& costs = lab.runner().costs(what);
  const Graph& graph = costs.graph();
  std::map<OpId, std::size_t> block_of;
  for (std::size_t b = 0; b < graph.blocks().size(); ++b)
    for (OpId op : graph.blocks()[b].ops) block_of[op] = b;
  std::vector<Row> rows;
  for (const Block& block : graph.blocks()) {
    bench::Result result;
    result.what = what;
    result.how = lab.place().measures ? "measured" : "recorded";
    rows.push_back(lab.row(result));
    rows.back().labels = {{"block", block.name}};
    rows.back().numbers = {{"operators", static_cast<double>(block.ops.size())}};
  }
  for (const Stage& stage : found.schedule.devices.front().stages) {
    bench::Result& result = rows[block_of.at(stage.groups.front().front())].result;
    if (!lab.place().measures && !costs.stage_known(stage)) result.how = "simulated";
    result.ms += costs.stage_ms(stage);
    ++result.stages;
  }
  return rows;
}

}  // namespace

Figure blocks_figure() {
  return {
      .name = "blocks",
      .title = "Inception V3 block by block: speed-up of IOS-Both over sequential, batch 1",
      .paper = "IOS: block-wise speed-up",
      .items = [](const Place& place) {
        std::vector<Item> items;
        for (const char* scheduler : {"sequential", "ios-both"}) {
          const bench::Case what{.network = "inception_v3", .scheduler = scheduler, .precision = place.precision};
          items.push_back(latency_item(what));
          items.push_back({.key = "blocks/" + what.name(), .what = what, .seconds = 0.5, .gather = [what](Lab& lab) {
                             return gather(lab, what);
                           }});
        }
        return items;
      }};
}

}  // namespace opsched::figures

// IOS, figure "the last block's schedule": of Inception V3's last block with branches, for batch 1 and 32.
#include <algorithm>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// The last block that leaves a choice.
const Block& last_block(const Graph& graph) {
  for (auto block = graph.blocks().rbegin(); block != graph.blocks().rend(); ++block)
    if (block->ops.size() > 1) return *block;
  throw Error(graph.name() + ": no block with more than one operator");
}

/// A row an operator: the stage and group it is in, and when they run. Stages are as long as they were
/// measured to be; the operators of a group share its time by their solo latencies.
std::vector<Row> gather(Lab& lab, const bench::Case& what) {
  const bench::Found found = lab.runner().find(what);
  CostModel& costs = lab.runner().costs(what);
  const Graph& graph = costs.graph();
  const std::vector<OpId>& block = last_block(graph).ops;
  std::vector<Row> rows;
  double begin = 0;
  int number = 0;
  for (const Stage& stage : found.schedule.devices.front().stages) {
    if (std::ranges::find(block, stage.groups.front().front()) == block.end()) continue;
    const bool known = costs.stage_known(stage);
    const double ms = costs.stage_ms(stage);
    for (std::size_t g = 0; g < stage.groups.size(); ++g)
      for (std::size_t i = 0; i < stage.groups[g].size(); ++i) {
        const Operator& op = graph.op(stage.groups[g][i]);
        bench::Result result;
        result.what = what;
        result.how = lab.place().measures ? "measured" : known ? "recorded" : "simulated";
        Row row = lab.row(result);
        row.labels = {{"operator", op.name}, {"kind", kind_name(op)}, {"strategy", to_string(stage.strategy)}};
        if (const Conv2d* conv = op.as_conv())
          row.labels["kind"] = "conv " + std::to_string(conv->kernel[0]) + "x" + std::to_string(conv->kernel[1]) +
                               ", " + std::to_string(conv->out_channels);
        row.numbers = {{"stage", number},
                       {"group", static_cast<double>(g)},
                       {"position", static_cast<double>(i)},
                       {"stage_begin_ms", begin},
                       {"stage_ms", ms},
                       {"operator_ms", costs.operator_ms(stage.groups[g][i])}};
        rows.push_back(std::move(row));
      }
    begin += ms;
    ++number;
  }
  return rows;
}

}  // namespace

Figure last_block_figure() {
  return {.name = "last_block",
          .title = "The schedule of Inception V3's last block at batch 1 and 32",
          .paper = "IOS: the last block's schedule",
          .items = [](const Place& place) {
            std::vector<Item> items;
            for (int batch : {1, 32}) {
              const bench::Case what{
                  .network = "inception_v3", .scheduler = "ios-both", .batch = batch, .precision = place.precision};
              items.push_back(
                  {.key = "last_block/" + what.name(), .what = what, .seconds = 0.5, .gather = [what](Lab& lab) {
                     return gather(lab, what);
                   }});
            }
            return items;
          }};
}

}  // namespace opsched::figures

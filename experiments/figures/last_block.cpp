// IOS, figure "the last block's schedule": of Inception V3's last block with branches, for batch 1 and 32.
#include <algorithm>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"

namespace opsched::figures {
namespace {

/// The last block that leaves a choice.
const Block& last_block(const Graph& graph) {
  for (auto block = graph.blocks().rbegin(); block != graph.blocks().rend(); ++block)
    if (block->ops.size() > 1) return *block;
  throw Error(graph.name() + ": no block with more than one operator");
}

records::Record record_of(const records::Case& what, const Block& block, const Operator& op) {
  return {.what = what,
          .quantity = "operator_slot",
          .labels = {{"block", block.name}, {"operator", op.name}},
          .unit = "ms"};
}

std::string kind_of(const Operator& op) {
  const Conv2d* conv = op.as_conv();
  if (conv == nullptr) return kind_name(op);
  return "conv " + std::to_string(conv->kernel[0]) + "x" + std::to_string(conv->kernel[1]) + ", " +
         std::to_string(conv->out_channels);
}

/// Of every operator the stage and group it is in, and when the stage runs. Stages are as long as they were
/// measured to be; the operators of a group share its time by their solo latencies.
void make(FigureContext& context, const records::Case& what) {
  const bench::Found found = context.schedule(what);
  CostModel& costs = context.runner().costs(what);
  const Graph& graph = costs.graph();
  const Block& block = last_block(graph);
  double begin = 0;
  int number = 0;
  for (const Stage& stage : found.schedule.devices.front().stages) {
    if (std::ranges::find(block.ops, stage.groups.front().front()) == block.ops.end()) continue;
    const Provenance provenance = context.settings().measures ? Provenance::measured
                                  : costs.stage_known(stage)  ? Provenance::recorded
                                                              : Provenance::simulated;
    const double ms = costs.stage_ms(stage);
    for (std::size_t g = 0; g < stage.groups.size(); ++g)
      for (std::size_t i = 0; i < stage.groups[g].size(); ++i) {
        const Operator& op = graph.op(stage.groups[g][i]);
        records::Record record = record_of(what, block, op);
        record.value = costs.operator_ms(stage.groups[g][i]);
        record.texts = {{"kind", kind_of(op)}, {"strategy", to_string(stage.strategy)}};
        record.numbers = {{"stage", number},
                          {"group", static_cast<double>(g)},
                          {"position", static_cast<double>(i)},
                          {"stage_begin_ms", begin},
                          {"stage_ms", ms}};
        record.graph = fingerprint(graph);
        record.schedule = fingerprint(found.schedule);
        record.provenance = provenance;
        context.file().add(std::move(record), found.schedule);
      }
    begin += ms;
    ++number;
  }
}

}  // namespace

Figure last_block_figure() {
  return {.name = "last_block",
          .title = "The schedule of Inception V3's last block at batch 1 and 32",
          .paper = "IOS: the last block's schedule",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            const Graph graph = make_network("inception_v3");
            const Block& block = last_block(graph);
            for (int batch : {1, 32}) {
              const records::Case what{
                  .network = "inception_v3", .scheduler = "ios-both", .batch = batch, .precision = settings.precision};
              Item item{.name = "last block of " + what.name(), .keys = {}, .seconds = 0.5};
              for (OpId op : block.ops) item.keys.push_back(record_of(what, block, graph.op(op)).key());
              item.make = [what](FigureContext& context) { make(context, what); };
              items.push_back(std::move(item));
            }
            return items;
          }};
}

}  // namespace opsched::figures

// IOS's figures on the blocks of Inception V3: where the gain comes from, and the schedule of the last block.
#include <algorithm>
#include <map>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"

namespace opsched::figures {
namespace {

/// A schedule whose parts are recorded separately.
struct Scheduled {
  FigureContext& context;
  const bench::Found found;
  CostModel& costs;

  Scheduled(FigureContext& where, const records::Case& what)
      : context(where), found(where.schedule(what)), costs(where.runner().costs(what)) {}

  const std::vector<Stage>& stages() const { return found.schedule.devices.front().stages; }
  Provenance provenance(const Stage& stage) const {
    if (context.settings().measures) return Provenance::measured;
    return costs.stage_known(stage) ? Provenance::recorded : Provenance::simulated;
  }
  void add(records::Record record) const {
    record.graph = fingerprint(costs.graph());
    record.schedule = fingerprint(found.schedule);
    context.file().add(std::move(record), found.schedule);
  }
};

records::Record block_record(const records::Case& what, const Block& block) {
  return {.what = what, .quantity = "block_latency", .labels = {{"block", block.name}}, .unit = "ms"};
}

/// Latency of every block: the sum over its stages, which end at barriers and were each timed in a separate CUDA graph.
/// Blocks are not cut out of the network, so their inputs have the same memory layout as in it.
void make_blocks(FigureContext& context, const records::Case& what) {
  const Scheduled scheduled(context, what);
  const Graph& graph = scheduled.costs.graph();
  std::map<OpId, std::size_t> block_of;
  std::vector<records::Record> list;
  for (std::size_t b = 0; b < graph.blocks().size(); ++b) {
    const Block& block = graph.blocks()[b];
    for (OpId op : block.ops) block_of[op] = b;
    records::Record& record = list.emplace_back(block_record(what, block));
    record.value = 0;
    record.numbers = {{"operators", static_cast<double>(block.ops.size())}, {"stages", 0}};
    record.provenance = context.settings().measures ? Provenance::measured : Provenance::recorded;
  }
  for (const Stage& stage : scheduled.stages()) {
    records::Record& record = list[block_of.at(stage.groups.front().front())];
    if (scheduled.provenance(stage) == Provenance::simulated) record.provenance = Provenance::simulated;
    *record.value += scheduled.costs.stage_ms(stage);
    ++record.numbers["stages"];
  }
  for (const records::Record& record : list) scheduled.add(record);
}

/// The last block with more than one possible schedule.
const Block& last_block(const Graph& graph) {
  for (auto block = graph.blocks().rbegin(); block != graph.blocks().rend(); ++block)
    if (block->ops.size() > 1) return *block;
  throw Error(graph.name() + ": no block with more than one operator");
}

records::Record slot_record(const records::Case& what, const Block& block, const Operator& op) {
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

/// The stage and group of every operator, and when the stage runs. Stages have their measured length; the operators of
/// a group share that time in proportion to their solo latencies.
void make_slots(FigureContext& context, const records::Case& what) {
  const Scheduled scheduled(context, what);
  const Graph& graph = scheduled.costs.graph();
  const Block& block = last_block(graph);
  double begin = 0;
  int number = 0;
  for (const Stage& stage : scheduled.stages()) {
    if (std::ranges::find(block.ops, stage.groups.front().front()) == block.ops.end()) continue;
    const Provenance provenance = scheduled.provenance(stage);
    const double ms = scheduled.costs.stage_ms(stage);
    for (std::size_t g = 0; g < stage.groups.size(); ++g)
      for (std::size_t i = 0; i < stage.groups[g].size(); ++i) {
        const Operator& op = graph.op(stage.groups[g][i]);
        records::Record record = slot_record(what, block, op);
        record.value = scheduled.costs.operator_ms(stage.groups[g][i]);
        record.texts = {{"kind", kind_of(op)}, {"strategy", to_string(stage.strategy)}};
        record.numbers = {{"stage", number},
                          {"group", static_cast<double>(g)},
                          {"position", static_cast<double>(i)},
                          {"stage_begin_ms", begin},
                          {"stage_ms", ms}};
        record.provenance = provenance;
        scheduled.add(std::move(record));
      }
    begin += ms;
    ++number;
  }
}

}  // namespace

Figure blocks_figure() {
  return {.name = "blocks",
          .title = "Inception V3 block by block: speed-up of IOS-Both over sequential, batch 1",
          .paper = "IOS: block-wise speed-up",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            const Graph graph = make_network("inception_v3");
            for (const char* scheduler : {"sequential", "ios-both"}) {
              const records::Case what{
                  .network = "inception_v3", .scheduler = scheduler, .precision = settings.precision};
              items.push_back(latency_item(what));
              Item item{.name = "blocks of " + what.name(), .keys = {}, .seconds = 0.5};
              for (const Block& block : graph.blocks()) item.keys.push_back(block_record(what, block).key());
              item.make = [what](FigureContext& context) { make_blocks(context, what); };
              items.push_back(std::move(item));
            }
            return items;
          }};
}

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
              for (OpId op : block.ops) item.keys.push_back(slot_record(what, block, graph.op(op)).key());
              item.make = [what](FigureContext& context) { make_slots(context, what); };
              items.push_back(std::move(item));
            }
            return items;
          }};
}

}  // namespace opsched::figures

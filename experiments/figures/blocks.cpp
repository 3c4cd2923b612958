// IOS, figure "block by block": where in Inception V3 the gain comes from.
#include <map>

#include "core/cost/signature/signature.hpp"
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"

namespace opsched::figures {
namespace {

records::Record record_of(const records::Case& what, const Block& block) {
  return {.what = what, .quantity = "block_latency", .labels = {{"block", block.name}}, .unit = "ms"};
}

/// Latency of every block: the sum over its stages, which end at barriers and were each timed in a CUDA
/// graph of their own. Blocks are never cut from the network, so that their inputs lie as they do in it.
void make(FigureContext& context, const records::Case& what) {
  const bench::Found found = context.schedule(what);
  CostModel& costs = context.runner().costs(what);
  const Graph& graph = costs.graph();
  std::map<OpId, std::size_t> block_of;
  std::vector<records::Record> list;
  for (std::size_t b = 0; b < graph.blocks().size(); ++b) {
    const Block& block = graph.blocks()[b];
    for (OpId op : block.ops) block_of[op] = b;
    records::Record& record = list.emplace_back(record_of(what, block));
    record.value = 0;
    record.numbers = {{"operators", static_cast<double>(block.ops.size())}, {"stages", 0}};
    record.graph = fingerprint(graph);
    record.schedule = fingerprint(found.schedule);
    record.provenance = context.settings().measures ? Provenance::measured : Provenance::recorded;
  }
  for (const Stage& stage : found.schedule.devices.front().stages) {
    records::Record& record = list[block_of.at(stage.groups.front().front())];
    if (!context.settings().measures && !costs.stage_known(stage)) record.provenance = Provenance::simulated;
    *record.value += costs.stage_ms(stage);
    ++record.numbers["stages"];
  }
  for (const records::Record& record : list) context.file().add(record, found.schedule);
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
              for (const Block& block : graph.blocks()) item.keys.push_back(record_of(what, block).key());
              item.make = [what](FigureContext& context) { make(context, what); };
              items.push_back(std::move(item));
            }
            return items;
          }};
}

}  // namespace opsched::figures

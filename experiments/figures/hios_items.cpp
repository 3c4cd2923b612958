#include "experiments/figures/hios_items.hpp"

#include <set>

#include "core/error.hpp"

namespace opsched::figures {
namespace {

Item item(const bench::Case& what) {
  Item item = latency_item(what);
  if (what.gpus == 1 && what.image == 0) return item;
  item.gather = [what](Lab& lab) { return std::vector<Row>{lab.measured_latency(what)}; };
  return item;
}

const std::vector<std::string> kOnOne = {"sequential", "ios-both", "dataflow"};
const std::vector<std::string> kOnSeveral = {"hios-lp-inter", "hios-mr-inter", "hios-lp",
                                             "hios-mr",       "heft",          "reinsert"};

/// One GPU in the run of several, where that was measured: gains compare what ran together.
Item item_beside(int gpus, const bench::Case& what) {
  const std::string run = std::to_string(gpus);
  return {.key = what.name() + "/run:" + run, .what = what, .gather = [=](Lab& lab) -> std::vector<Row> {
            const Row* known = lab.beside(gpus, what);
            if (!known) return {};
            Row row = *known;
            row.labels["run"] = run;
            return {std::move(row)};
          }};
}

}  // namespace

std::vector<Item> hios_items(const Place& place) {
  std::set<int> counts = {1, 2, 4, place.gpus};
  for (const auto& [gpus, folder] : sibling_folders(place)) counts.insert(gpus);
  std::vector<Item> items;
  for (const char* network : {"inception_v3", "nasnet"})
    for (int image : {0, 512, 1024, 2048})
      for (int gpus : counts) {
        const auto what = [&](const std::string& scheduler, int on) {
          return bench::Case{.network = network,
                             .scheduler = scheduler,
                             .batch = 1,
                             .image = image,
                             .precision = place.precision,
                             .gpus = on};
        };
        for (const std::string& scheduler : gpus == 1 ? kOnOne : kOnSeveral)
          items.push_back(item(what(scheduler, gpus)));
        if (gpus > 1)
          for (const std::string& scheduler : kOnOne) items.push_back(item_beside(gpus, what(scheduler, 1)));
      }
  return items;
}

}  // namespace opsched::figures

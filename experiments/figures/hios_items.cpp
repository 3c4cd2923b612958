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

}  // namespace

std::vector<Item> hios_items(const Place& place) {
  std::set<int> counts = {1, 2, 4, place.gpus};
  for (const auto& [gpus, folder] : sibling_folders(place)) counts.insert(gpus);
  std::vector<Item> items;
  for (const char* network : {"inception_v3", "nasnet"})
    for (int image : {0, 512, 1024, 2048})
      for (int gpus : counts) {
        const std::vector<std::string> schedulers =
            gpus == 1
                ? std::vector<std::string>{"sequential", "ios-both", "dataflow"}
                : std::vector<std::string>{"hios-lp-inter", "hios-mr-inter", "hios-lp", "hios-mr", "heft", "reinsert"};
        for (const std::string& scheduler : schedulers)
          items.push_back(item({.network = network,
                                .scheduler = scheduler,
                                .batch = 1,
                                .image = image,
                                .precision = place.precision,
                                .gpus = gpus}));
      }
  return items;
}

}  // namespace opsched::figures

// IOS, figure "frameworks": what a user would run instead, beside ours.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure frameworks_figure() {
  return {
      .name = "frameworks",
      .title = "Frameworks compared, batch 1",
      .paper = "IOS: frameworks compared",
      .items = [](const Place& place) {
        std::vector<Item> items;
        for (const char* network : {"inception_v3", "randwire", "nasnet", "squeezenet"}) {
          items.push_back(peer_item(network, 1, place.precision));
          for (const char* scheduler : {"sequential", "ios-both", "dataflow"})
            items.push_back(latency_item({.network = network, .scheduler = scheduler, .precision = place.precision}));
        }
        return items;
      }};
}

}  // namespace opsched::figures

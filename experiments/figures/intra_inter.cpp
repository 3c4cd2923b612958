// IOS, figure "intra- against inter-operator parallelism": a tuned compiler, which makes each operator
// fast, against IOS, which runs operators side by side.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure intra_inter_figure() {
  return {
      .name = "intra_inter",
      .title = "Intra- against inter-operator parallelism: a tuned compiler against IOS, batch 1",
      .paper = "IOS: intra- and inter-operator parallelism",
      .items = [](const Place& place) {
        std::vector<Item> items;
        for (const char* network : {"inception_v3", "randwire", "nasnet", "squeezenet"}) {
          items.push_back(peer_item(network, 1, place.precision));
          for (const char* scheduler : {"sequential", "ios-both"})
            items.push_back(latency_item({.network = network, .scheduler = scheduler, .precision = place.precision}));
        }
        return items;
      }};
}

}  // namespace opsched::figures

// IOS, the table of all latencies: ours, beside the paper's and its public code's.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure latencies_figure() {
  return {
      .name = "latencies",
      .title = "All latencies and search times, beside the paper's V100 and its public code on an H200",
      .paper = "IOS: table of latencies and optimisation cost",
      .items = [](const Place& place) {
        std::vector<Item> items;
        for (const char* network : {"inception_v3", "randwire", "nasnet", "squeezenet"}) {
          for (const char* scheduler : {"sequential", "greedy", "ios-merge", "ios-both", "ios-parallel"})
            items.push_back(latency_item({.network = network, .scheduler = scheduler, .precision = place.precision}));
          items.push_back(peer_item(network, 1, place.precision));
        }
        return items;
      }};
}

}  // namespace opsched::figures

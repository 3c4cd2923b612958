// IOS, the table of all latencies: ours, beside the paper's and its public code's.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure latencies_figure() {
  return {.name = "latencies",
          .title = "All latencies and search times, beside the paper's V100 and its public code on an H200",
          .paper = "IOS: table of latencies and optimisation cost",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (const std::string& network : ios_networks()) {
              for (const char* scheduler : {"sequential", "wavefront", "ios-merge", "ios-both", "ios-parallel"})
                items.push_back(
                    latency_item({.network = network, .scheduler = scheduler, .precision = settings.precision}));
              items.push_back(baseline_item(network, 1, settings.precision));
            }
            return items;
          }};
}

}  // namespace opsched::figures

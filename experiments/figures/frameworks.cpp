// IOS, figure "frameworks": what a user would run instead, beside ours.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure frameworks_figure() {
  return {.name = "frameworks",
          .title = "Frameworks compared, batch 1",
          .paper = "IOS: frameworks compared",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (const std::string& network : ios_networks()) {
              items.push_back(baseline_item(network, 1, settings.precision));
              for (const char* scheduler : {"sequential", "ios-both", "dataflow"})
                items.push_back(
                    latency_item({.network = network, .scheduler = scheduler, .precision = settings.precision}));
            }
            return items;
          }};
}

}  // namespace opsched::figures

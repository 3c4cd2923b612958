// IOS, figure "intra- against inter-operator parallelism": a tuned compiler, which makes each operator
// fast, against IOS, which runs operators side by side.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure intra_inter_figure() {
  return {.name = "intra_inter",
          .title = "Intra- against inter-operator parallelism: a tuned compiler against IOS, batch 1",
          .paper = "IOS: intra- and inter-operator parallelism",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (const std::string& network : ios_networks()) {
              items.push_back(baseline_item(network, 1, settings.precision));
              for (const char* scheduler : {"sequential", "ios-both"})
                items.push_back(
                    latency_item({.network = network, .scheduler = scheduler, .precision = settings.precision}));
            }
            return items;
          }};
}

}  // namespace opsched::figures

// IOS, figure "schedules": the networks under every schedule of the paper, and our own.
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"

namespace opsched::figures {

Figure schedules_figure() {
  return {.name = "schedules",
          .title = "Schedules compared: throughput, normalised to the best",
          .paper = "IOS: schedules compared",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (const std::string& network : ios_networks())
              for (const char* scheduler : {"sequential", "greedy", "wavefront", "ios-merge", "ios-both",
                                            "ios-parallel", "ios-dataflow", "dataflow"})
                items.push_back(
                    latency_item({.network = network, .scheduler = scheduler, .precision = settings.precision}));
            return items;
          }};
}

}  // namespace opsched::figures

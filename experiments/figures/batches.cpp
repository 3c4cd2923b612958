// IOS, figure "batch sizes": Inception V3 at batch 1 to 128.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure batches_figure() {
  return {.name = "batches",
          .title = "Inception V3 by batch size: sequential, the best peer, IOS",
          .paper = "IOS: batch sizes",
          .items = [](const Place& place) {
            std::vector<Item> items;
            for (int batch : {1, 16, 32, 64, 128}) {
              for (const char* scheduler : {"sequential", "ios-both", "dataflow"})
                items.push_back(latency_item(
                    {.network = "inception_v3", .scheduler = scheduler, .batch = batch, .precision = place.precision}));
              items.push_back(peer_item("inception_v3", batch, place.precision));
            }
            return items;
          }};
}

}  // namespace opsched::figures

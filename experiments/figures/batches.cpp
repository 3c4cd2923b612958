// IOS, figure "batch sizes": Inception V3 at batch 1 to 128.
#include "experiments/figures/baseline_items.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure batches_figure() {
  return {
      .name = "batches",
      .title = "Inception V3 by batch size: sequential, the best other software, IOS",
      .paper = "IOS: batch sizes",
      .items = [](const FigureSettings& settings) {
        std::vector<Item> items;
        for (int batch : {1, 16, 32, 64, 128}) {
          for (const char* scheduler : {"sequential", "ios-both", "dataflow"})
            items.push_back(latency_item(
                {.network = "inception_v3", .scheduler = scheduler, .batch = batch, .precision = settings.precision}));
          items.push_back(baseline_item("inception_v3", batch, settings.precision));
        }
        return items;
      }};
}

}  // namespace opsched::figures

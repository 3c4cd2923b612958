// HIOS, figure "latency by image size and number of GPUs".
#include "experiments/figures/figure.hpp"
#include "experiments/figures/hios_items.hpp"

namespace opsched::figures {

Figure image_sizes_figure() {
  return {.name = "image_sizes",
          .title = "Latency by image size and number of GPUs, every algorithm",
          .paper = "HIOS: latency by image size and number of GPUs",
          .items = hios_items};
}

}  // namespace opsched::figures

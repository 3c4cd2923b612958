// HIOS, figure "gain at small and large images".
#include "experiments/figures/figure.hpp"
#include "experiments/figures/hios_items.hpp"

namespace opsched::figures {

Figure image_gain_figure() {
  return {.name = "image_gain",
          .title = "Gain over IOS on one GPU at small and large images",
          .paper = "HIOS: gain at small and large images",
          .items = hios_items};
}

}  // namespace opsched::figures

// HIOS, figure "optimisation cost".
#include "experiments/figures/figure.hpp"
#include "experiments/figures/hios_items.hpp"

namespace opsched::figures {

Figure scheduling_time_figure() {
  return {.name = "scheduling_time",
          .title = "Time to find a schedule, by image size and number of GPUs",
          .paper = "HIOS: optimisation cost",
          .items = hios_items};
}

}  // namespace opsched::figures

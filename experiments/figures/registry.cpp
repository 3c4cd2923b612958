#include <utility>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

// The list of figures, in the order in which they are made and shown. Each is a function `Figure NAME_figure()`. To add
// one, write that function and analysis/opsched/plots/NAME.py, and add a line here.
#define OPSCHED_FIGURES(ADD)  \
  ADD(search_space_figure)    \
  ADD(schedules_figure)       \
  ADD(frameworks_figure)      \
  ADD(active_warps_figure)    \
  ADD(specialisation_figure)  \
  ADD(pruning_figure)         \
  ADD(batches_figure)         \
  ADD(intra_inter_figure)     \
  ADD(latencies_figure)       \
  ADD(blocks_figure)          \
  ADD(last_block_figure)      \
  ADD(image_sizes_figure)     \
  ADD(image_gain_figure)      \
  ADD(scheduling_time_figure) \
  ADD(split_sizes_figure)

#define OPSCHED_DECLARE(function) Figure function();
OPSCHED_FIGURES(OPSCHED_DECLARE)

const std::vector<Figure>& figures() {
  static const std::vector<Figure> list = [] {
#define OPSCHED_CALL(function) function(),
    std::vector<Figure> all = {OPSCHED_FIGURES(OPSCHED_CALL)};
    for (Figure& figure : simulation_figures()) all.push_back(std::move(figure));
    return all;
  }();
  return list;
}

const std::vector<std::string>& ios_networks() {
  static const std::vector<std::string> names = {"inception_v3", "randwire-paper", "randwire", "nasnet", "squeezenet"};
  return names;
}

}  // namespace opsched::figures

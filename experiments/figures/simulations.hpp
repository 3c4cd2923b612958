// HIOS's simulation studies and ours, a figure each.
#pragma once

#include <vector>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

/// sim_gpus, sim_operators, ...: what results/simulation holds, or what `opsched simulate` would put there.
std::vector<Figure> simulation_figures();

}  // namespace opsched::figures

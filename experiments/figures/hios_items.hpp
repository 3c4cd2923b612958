// What HIOS's figures on real GPUs have in common.
#pragma once

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

/// Inception V3 and NasNet at every image size on every number of GPUs: on one GPU sequential, IOS-Both and
/// dataflow, on more HIOS's algorithms and ours. Beyond one GPU and the network's own size nothing is
/// simulated, for a profile of one image size says too little about another: what was not measured is a
/// row that says so.
std::vector<Item> hios_items(const FigureSettings& settings);

}  // namespace opsched::figures

// A figure of the papers, and the list of them. A new figure is a function that returns a Figure, in a file of its own
// or beside its like, one line in registry.cpp, and one file in analysis/plots/ that draws it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/figures/figure_context.hpp"

namespace opsched::figures {

/// Records that a figure shows and that are made together. Items of several figures with one name are one item.
struct Item {
  std::string name;               ///< what it is, for readers
  std::vector<std::string> keys;  ///< of the records (Record::key); all of them are needed
  /// Instead of keys: whatever there is of these, at least one.
  std::function<bool(const records::Record&)> select{};
  std::string folder{};                         ///< that holds them, beside the results folder; empty: that itself
  std::map<std::string, std::string> labels{};  ///< that the figure adds
  double seconds = 0.2;                         ///< about what making them takes on an H200, for the time left
  /// Adds the records to the context's file; may throw Error, which says why there are none. Empty: they cannot be
  /// made here, and `why` says what would.
  std::function<void(FigureContext&)> make{};
  std::string why{};
};

struct Figure {
  std::string name;   ///< as in commands and file names
  std::string title;  ///< one line
  std::string paper;  ///< "IOS, figure 6"
  std::function<std::vector<Item>(const FigureSettings&)> items;
};

/// HIOS's simulation studies and ours, a figure each, sim_gpus, sim_operators, ...: what results/simulation holds, or
/// what `opsched simulate` would put there.
std::vector<Figure> simulation_figures();

/// All figures, in the order in which they are made and shown.
const std::vector<Figure>& figures();
/// Throws Error listing the known names.
const Figure& find_figure(const std::string& name);

/// IOS's networks. The paper's RandWire is an instance of its own (randwire-paper); ours is shown beside it.
const std::vector<std::string>& ios_networks();

/// The latency of a scheduler's schedule: the item that most figures are made of. Measured where there are that many
/// GPUs, else replayed, unless `only_measured`; a network that the paper's numbers stand beside is never replayed.
Item latency_item(const records::Case& what, bool only_measured = false);

}  // namespace opsched::figures

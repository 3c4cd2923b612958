// A figure of the papers, and the list of them. A new figure is one file with a function that returns
// a Figure, one line in registry.cpp, and one file in analysis/plots/ that draws it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/figures/figure_context.hpp"
#include "experiments/figures/row.hpp"

namespace opsched::figures {

/// A piece of work: done as a whole and kept. Items of several figures with one key are one item.
struct Item {
  std::string key;
  bench::Case what;                              ///< for the row that says why there is no number
  double seconds = 0.2;                          ///< about what it takes on an H200, for the time left
  std::function<std::vector<Row>(Lab&)> gather;  ///< may throw Error: then there is a row that says why
};

struct Figure {
  std::string name;   ///< as in commands and file names
  std::string title;  ///< one line
  std::string paper;  ///< "IOS, figure 6"
  std::function<std::vector<Item>(const Place&)> items;
};

/// All figures, in the order in which they are made and shown.
const std::vector<Figure>& figures();
/// Throws Error listing the known names.
const Figure& find_figure(const std::string& name);

/// The latency of a scheduler's schedule: the item that most figures are made of.
Item latency_item(const bench::Case& what, const SchedulerOptions& options = {});

}  // namespace opsched::figures

// Makes figures: gathers what is missing, keeps it, has it drawn.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/figures/figure.hpp"
#include "experiments/figures/row_store.hpp"

namespace opsched::figures {

struct ReproduceOptions {
  std::vector<std::string> names;  ///< empty or "all": all
  std::string out;                 ///< folder of the figures
  std::string command;             ///< written into the data
  bool fresh = false;
};

/// The named figures. Throws Error listing the known names.
std::vector<Figure> chosen_figures(const std::vector<std::string>& names);

/// What remains to be done, told before every item and while it runs.
struct Work {
  int done = 0, items = 0;  ///< items that are to be gathered in this run
  int resumed = 0;          ///< items of an interrupted run that this one continues
  double expected_seconds = 0, expected_seconds_done = 0;
};

/// Gathers the rows of the figures, figure after figure, and writes FIGURE.json and FIGURE.csv. An item that
/// cannot be had becomes a row that says why. Throws Error as RowStore does; passes on what the lab's report
/// throws: what was gathered by then is kept.
void gather(Lab& lab, const ReproduceOptions& options, const std::vector<Figure>& figures, Work& work);

/// Where every figure stands, as index.json in the folder says it: {"figures": [{"name", "title", "paper",
/// "state", "why"}]}. A figure that was never made: "not made".
struct Standing {
  std::string name, title, paper;
  State state;
};
std::vector<Standing> standings(const std::string& folder);
void write_index(const std::string& folder);

}  // namespace opsched::figures

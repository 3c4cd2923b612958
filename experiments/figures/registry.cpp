#include "core/error.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

// The list of figures, in the order in which they are made and shown. Each stands in a file of its own
// that defines `Figure NAME_figure()`; adding one is that file, one line here, and analysis/plots/NAME.py.
#define OPSCHED_FIGURES(ADD) \
  ADD(schedules_figure)      \
  ADD(batches_figure)        \
  ADD(last_block_figure)

#define OPSCHED_DECLARE(function) Figure function();
OPSCHED_FIGURES(OPSCHED_DECLARE)

const std::vector<Figure>& figures() {
#define OPSCHED_CALL(function) function(),
  static const std::vector<Figure> list = {OPSCHED_FIGURES(OPSCHED_CALL)};
  return list;
}

const Figure& find_figure(const std::string& name) {
  std::string known;
  for (const Figure& figure : figures()) {
    if (figure.name == name) return figure;
    known += (known.empty() ? "" : ", ") + figure.name;
  }
  throw Error("unknown figure '" + name + "'; there are: all, " + known);
}

}  // namespace opsched::figures

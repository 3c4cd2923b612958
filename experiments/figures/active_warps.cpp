// IOS, figure "active warps": derived from, or counted by, what only a GPU knows (`opsched warps`).
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

Figure active_warps_figure() {
  return {.name = "active_warps",
          .title = "Active warps over time, sequential against IOS",
          .paper = "IOS: active warps",
          .items = [](const FigureSettings&) {
            return std::vector<Item>{
                {.name = "active warps",
                 .keys = {},
                 .select = [](const records::Record& record) { return record.quantity == "active_warps"; },
                 .why = "not measured yet: opsched warps does it"}};
          }};
}

}  // namespace opsched::figures

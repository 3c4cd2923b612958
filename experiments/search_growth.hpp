// How the IOS search grows with the graph: random stages as RandWire's, time and memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "schedulers/ios_options.hpp"

namespace opsched {

struct GrowthOptions {
  IosOptions space{.max_states = 20'000'000, .max_transitions = 500'000'000};
  std::vector<int> nodes = {16, 24, 32, 40, 48, 56, 64};
  std::uint64_t seed = 1;
};

struct GrowthRow {
  int nodes = 0;
  std::string states;  ///< exact, also where the search gave up
  int width = 0;
  std::int64_t transitions = 0, stages = 0;
  double count_seconds = 0, search_seconds = 0;  ///< of counting; of the search for a schedule
  double count_mb = 0, search_mb = 0;            ///< most memory held meanwhile
  std::string gave_up;                           ///< why nothing was enumerated; empty if it was
};

/// One row for every number of nodes: WS(nodes, 4, 0.75) and its join, made-up costs. `done` is called
/// after every row and may throw.
std::vector<GrowthRow> search_growth(const GrowthOptions& options, const std::function<void(const GrowthRow&)>& done);

/// A Markdown table, with the command that made it above.
std::string to_markdown(const std::vector<GrowthRow>& rows, const std::string& command);

}  // namespace opsched

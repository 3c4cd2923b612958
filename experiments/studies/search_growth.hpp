// Time and memory of the IOS search: of any graph, and of random stages as RandWire's as they grow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "schedulers/ios/options.hpp"

namespace opsched {

/// Where a row gives up.
inline constexpr std::int64_t kGrowthStates = 20'000'000, kGrowthTransitions = 500'000'000;

struct GrowthRow {
  std::string graph;
  std::string states;  ///< exact, of the first part alone where the search gave up
  int width = 0;
  std::int64_t transitions = 0, stages = 0;
  double count_seconds = 0, search_seconds = 0;  ///< of counting; of the search for a schedule
  double count_mb = 0, search_mb = 0;            ///< most memory held meanwhile
  std::string gave_up;                           ///< why nothing was enumerated; empty if it was
};

/// WS(nodes, 4, 0.75), drawn from the seed, and its join: a stage of RandWire, as one block.
Graph random_stage(int nodes, std::uint64_t seed);

/// Counts the space of a graph and searches it under made-up costs, drawn from the seed.
GrowthRow search_growth(const Graph& graph, IosOptions space, std::uint64_t seed);

/// A Markdown table, with the command that made it above.
std::string to_markdown(const std::vector<GrowthRow>& rows, const std::string& command);

}  // namespace opsched

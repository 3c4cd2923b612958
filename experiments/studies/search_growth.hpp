// Time and memory of the IOS search, for any graph, and for RandWire-like random stages of growing size.
#pragma once

#include <cstdint>

#include "core/graph/graph.hpp"
#include "experiments/records/record.hpp"
#include "schedulers/ios/options.hpp"

namespace opsched {

/// Where it gives up.
inline constexpr std::int64_t kGrowthStates = 20'000'000, kGrowthTransitions = 500'000'000;

/// WS(nodes, 4, 0.75), drawn from the seed, and its join: a stage of RandWire, as one block.
Graph random_stage(int nodes, std::uint64_t seed);

/// Counts the space of a graph and searches it under made-up costs, drawn from the seed: a record search_growth, whose
/// value is the time of the search in seconds. Where the search gives up it is missing, and the text "states" says how
/// many there are in the first part.
records::Record search_growth(const Graph& graph, IosOptions space, std::uint64_t seed);

}  // namespace opsched

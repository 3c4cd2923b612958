// Spreads a schedule of one device over several by splitting operators into strips.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// The splits of those operators of `which` (by OpId) that can be split into this many strips of rows or images.
std::vector<Split> even_splits(const Graph& graph, const std::vector<bool>& which, int strips, Along along);
/// Of all operators.
std::vector<Split> even_splits(const Graph& graph, int strips, Along along);

/// Devices by operator of a split graph: strip i on device i. Whole operators, in this order, go where they finish
/// first if every device runs one operator at a time; ties go to the first device. `order`: of the unsplit graph.
std::vector<int> place_strips(Latencies& cost, const std::vector<OpId>& order, int devices);

/// A dataflow schedule in which every operator of the split graph takes the place of the operator it comes from, on
/// the same stream number of its own device. `base`: a dataflow schedule of the unsplit graph on one device, with a
/// launch order and without merges.
Schedule spread(const Graph& split, const Schedule& base, const std::vector<int>& device_of, int devices);

}  // namespace opsched

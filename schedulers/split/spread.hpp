// A schedule of one device, spread over several by splitting operators into strips.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// The splits of those of `which` (by OpId) that can be split into so many strips of rows or images.
std::vector<Split> even_splits(const Graph& graph, const std::vector<bool>& which, int strips, Along along);
/// Of all operators.
std::vector<Split> even_splits(const Graph& graph, int strips, Along along);

/// Devices by operator of a split graph: strip i on device i; whole operators, in this order, where they end first if
/// every device runs one operator at a time, the first device of several alike. `order`: of the graph that is not
/// split.
std::vector<int> place_strips(Latencies& cost, const std::vector<OpId>& order, int devices);

/// A dataflow schedule of one device in which every operator of the split graph takes the place of the operator that it
/// comes from, on the stream of that number of its own device. `base`: of the graph that is not split, dataflow, with a
/// launch order and without merges.
Schedule spread(const Graph& split, const Schedule& base, const std::vector<int>& device_of, int devices);

}  // namespace opsched

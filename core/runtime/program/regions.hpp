// Differences of tensor regions.
#pragma once

#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

/// The remainder of this region, in disjoint pieces.
std::vector<Region> without(const Region& region, const std::vector<Region>& taken);

}  // namespace opsched

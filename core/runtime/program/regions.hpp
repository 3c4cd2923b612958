// Regions of tensors taken apart.
#pragma once

#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

/// What is left of this region, in pieces that do not overlap.
std::vector<Region> without(const Region& region, const std::vector<Region>& taken);

}  // namespace opsched

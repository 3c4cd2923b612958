// Rules that give operators priorities (Schedule::priority).
#pragma once

#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

struct PriorityRule {
  std::string name;
  std::vector<int> priority;  ///< by OpId
};

/// critical: operators on the longest chains of solo latencies (within 1%) before all others; slack: six classes of
/// equal size, least slack first; light: six classes of equal size, least work (latency times utilisation) first.
std::vector<PriorityRule> priority_rules(Latencies& cost);

}  // namespace opsched

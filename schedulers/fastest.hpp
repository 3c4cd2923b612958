// Chooses between whole schedules.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

struct Candidate {
  Schedule schedule;
  double makespan = 0;  ///< ms, as a scheduler works it out
};

/// The fastest: by the latency of whole schedules if the cost model measures them or knows them all, else
/// by makespan; the first of several alike. At least one candidate.
Schedule fastest(CostModel& cost, std::vector<Candidate> candidates);

}  // namespace opsched

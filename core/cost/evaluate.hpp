// Exact evaluation of a schedule under a cost model: who starts and ends when.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Start and end of every operator in ms, indexed by OpId (inputs: 0). In barrier mode all operators
/// of a stage share its start and end, as in HIOS.
struct Timeline {
  std::vector<double> start, end;
  double makespan = 0;
};

/// Barrier mode: a stage starts when its device's previous stage has ended and every input has
/// arrived (end of the producing stage, plus the transfer if that is on another device); it takes
/// stage_ms. An operator's output exists when its stage ends. (HIOS, section III.)
/// Throws Error for a dataflow schedule: see runtime/sim for those.
Timeline evaluate(CostModel& cost, const Schedule& schedule);

}  // namespace opsched

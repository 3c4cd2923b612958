// The timeline of a program whose steps were timed.
#pragma once

#include "core/runtime/program/program.hpp"
#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// A kernel or copy of a step, as a back end timed it.
struct StepActivity {
  int step = -1;  ///< index of Program::steps; -1: none that is known
  int device = 0;
  std::string kernel;         ///< its name
  double start = 0, end = 0;  ///< ms, on any clock
  std::int64_t blocks = 0;    ///< of a kernel's launch; 0: unknown
  int threads = 0, blocks_per_sm = 0;
};

/// Names activities after operator and stage, in the row of their step's stream. Activities that belong to no step go
/// into a row "other". Times start at the first activity. `program` was lowered from this schedule.
Trace program_trace(const Graph& graph, const Schedule& schedule, const Program& program, int element_bytes,
                    const std::vector<StepActivity>& activities);

}  // namespace opsched

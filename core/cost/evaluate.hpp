// Exact evaluation of a schedule under given latencies: when each stage and operator starts and ends.
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
/// stage_ms. An operator's output exists when its stage ends; inputs of the graph are everywhere. (HIOS, section III.)
///
/// Works through operators and edges once and keeps its memory between calls, for searches that
/// evaluate many schedules. Operators that a schedule leaves out count as done at time 0, so parts of
/// schedules can be evaluated, too.
class Evaluator {
 public:
  explicit Evaluator(Latencies& cost) : cost_(cost) {}

  /// Valid until the next call. Throws Error for a dataflow schedule (runtime/sim replays those), and
  /// where stages wait for each other.
  const Timeline& evaluate(const Schedule& schedule);

 private:
  void place(const Schedule& schedule);
  [[noreturn]] void report_deadlock() const;

  struct StageState {
    const Stage* stage;
    int device, index;
    int waiting;   ///< edges from stages that have not ended, and one for the stage before
    double ready;  ///< latest end and arrival so far
  };

  Latencies& cost_;
  Timeline timeline_;
  std::vector<StageState> stages_;  ///< device by device
  std::vector<int> stage_of_;       ///< by OpId; -1: not in the schedule
  std::vector<int> runnable_;
};

/// Time to start and await several devices, which the timeline leaves out: the law's device_ms for every one that is
/// used beyond the first.
double further_devices_ms(const ContentionLaw& law, const Schedule& schedule);

/// One schedule, once.
Timeline evaluate(Latencies& cost, const Schedule& schedule);

}  // namespace opsched

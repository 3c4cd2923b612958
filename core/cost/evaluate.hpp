// Exact evaluation of a schedule for given latencies: start and end of each stage and operator.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Start and end of every operator in ms, indexed by OpId (inputs: 0). In barrier mode all operators of a stage have
/// the start and end of the stage, as in HIOS.
struct Timeline {
  std::vector<double> start, end;
  double makespan = 0;
};

/// Barrier mode: a stage starts when the previous stage on its device has ended and every input has arrived (end
/// of the producing stage, plus the transfer if it is on another device), and takes stage_ms. An output exists when
/// its stage ends, and graph inputs are available everywhere (HIOS, section III).
///
/// Processes each operator and edge once and reuses its memory between calls, for searches that evaluate many
/// schedules. Operators that are not in the schedule count as finished at time 0, so partial schedules can be
/// evaluated.
class Evaluator {
 public:
  explicit Evaluator(Latencies& cost) : cost_(cost) {}

  /// Valid until the next call. Throws Error for a dataflow schedule (runtime/sim simulates those), and if stages wait
  /// for each other.
  const Timeline& evaluate(const Schedule& schedule);

 private:
  void place(const Schedule& schedule);
  [[noreturn]] void report_deadlock() const;

  struct StageState {
    const Stage* stage;
    int device, index;
    int waiting;   ///< edges from stages that have not ended, plus one for the previous stage
    double ready;  ///< latest end and arrival so far
  };

  Latencies& cost_;
  Timeline timeline_;
  std::vector<StageState> stages_;  ///< device by device
  std::vector<int> stage_of_;       ///< by OpId; -1: not in the schedule
  std::vector<int> runnable_;
};

/// Time to start and wait for several devices, which is not part of the timeline: device_ms of the law for every used
/// device beyond the first.
double further_devices_ms(const ContentionLaw& law, const Schedule& schedule);

/// One schedule, once.
Timeline evaluate(Latencies& cost, const Schedule& schedule);

}  // namespace opsched

// Chooses between whole schedules.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

struct Candidate {
  Schedule schedule;
  double makespan = 0;  ///< ms, by the scheduler's own evaluation
};

/// The fastest: by the latency of whole schedules if the cost model measures them or knows them all, else
/// by makespan; the first of several alike. At least one candidate.
Schedule fastest(ScheduleLatencies& cost, std::vector<Candidate> candidates);

/// The fastest of the schedules offered, by the latency of the whole.
class Fastest {
 public:
  /// `cost` must outlive it.
  explicit Fastest(ScheduleLatencies& cost) : cost_(cost) {}

  /// Takes a schedule that is faster than the best by more than `margin`, a fraction; true if so. `otherwise`:
  /// its latency in ms if the whole was never measured and cannot be; without it such a schedule is passed over.
  bool offer(Schedule schedule, std::optional<double> otherwise = {}, double margin = 0);

  bool empty() const { return !best_; }
  /// Not if empty().
  const Schedule& schedule() const { return *best_; }
  double ms() const { return ms_; }  ///< infinite if empty()

 private:
  ScheduleLatencies& cost_;
  std::optional<Schedule> best_;
  double ms_ = std::numeric_limits<double>::infinity();
};

}  // namespace opsched

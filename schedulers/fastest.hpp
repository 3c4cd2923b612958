// Chooses among whole schedules.
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

/// The fastest: by whole-schedule latency if the cost model measures or knows all of them, otherwise by makespan; the
/// first if several are equal. Requires at least one candidate.
Schedule fastest(ScheduleLatencies& cost, std::vector<Candidate> candidates);

/// The fastest of the schedules offered, by the latency of the whole.
class Fastest {
 public:
  /// `cost` must outlive it.
  explicit Fastest(ScheduleLatencies& cost) : cost_(cost) {}

  /// Takes a schedule that is faster than the best by more than the fraction `margin`, and returns whether it did.
  /// `otherwise`: its latency in ms if the whole was never measured and cannot be; without it such a schedule is
  /// skipped.
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

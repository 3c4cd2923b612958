// The best schedule of one graph on one device, from all suitable schedulers, within a time budget.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/device/device.hpp"

namespace opsched::bench {

struct OptimizeOptions {
  std::vector<std::string> schedulers;  ///< in the order of the list; sequential is always tried
  int gpus = 1;                         ///< schedules may use so many; those of one GPU take part, too
  double budget_seconds = 60;           ///< for searches; what they measure is kept in the profile either way
};

/// A schedule that was tried, or the reason why there is none.
struct Attempt {
  Timed timed;            ///< `record.missing` says why there is no schedule
  std::string same_as{};  ///< the first scheduler that found the same schedule
  double bound_ms = 0;    ///< no schedule in its mode is faster, as far as costs say
  bool timed_in_turns = false;
  bool stopped = false;              ///< the best so far of a search that ran out of time
  std::vector<std::string> notes{};  ///< what its search skipped
};

/// Every search gets a tenth of the budget at first; those that were cut off share what is left afterwards, so that
/// cheap schedulers all have their say. Of a search that is cut off again, the best schedule that it had takes part.
/// Whole schedules are then timed, and the best few again in turns, so that no drift of the device chooses the winner.
/// Sequential comes first, the others fastest first, without a schedule last. Throws what `report` throws, DeviceLost,
/// and Error where not even sequential can run.
std::vector<Attempt> optimize(Device& device, CostModel& costs, records::Case what, const OptimizeOptions& options,
                              const Report& report);

}  // namespace opsched::bench

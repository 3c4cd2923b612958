// Divides the cases of a benchmark among processes, each of which runs its own cases.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/processes/orders.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {

struct ShareOptions {
  int gpus = 1;               ///< how many a process uses
  bool through_host = false;  ///< as DeviceOptions
  bool late_relu = false;     ///< as DeviceOptions
  std::string cache;          ///< folder of schedules; empty: not kept
  double max_seconds = 2;     ///< to measure one schedule, about
};

/// On process 0, whose cases run on `device`: `arrived` hears of every case, in rounds: each process takes a
/// neighbourhood of them at a time (Case::neighbourhood). What others measure for costs goes into profiles of their
/// own, FOLDER/rank-N.
void share_cases(ProcessGroup& processes, Device& device, const ShareOptions& options, const std::vector<Case>& cases,
                 const std::function<void(Timed)>& arrived);

/// What the other processes do for it. `gpus`: of this process.
OrderHandlers share_handlers(ProcessGroup& processes, const std::function<std::vector<int>()>& gpus);

}  // namespace opsched::bench

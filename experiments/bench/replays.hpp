// Parallel searches on a recorded profile.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/device/device.hpp"

namespace opsched::bench {

/// Where replaying is.
struct ReplayProgress {
  int done = 0, total = 0;  ///< cases
  std::string text;         ///< of one of the searches under way
};

struct ReplayOptions {
  const ScheduleStore* store = nullptr;  ///< where results are looked up and stored; none: search everything again
  Topology topology{};                   ///< assumed topology of the GPUs
  int threads = 0;                       ///< 0: one per processor
  std::function<void(const ReplayProgress&)> report;  ///< called often, in the calling thread; may throw to stop
};

/// Searches every case on the profile in a folder, without measuring. Returns the schedule and its latency there, or
/// why there is none, in order. Neighbours (Case::neighbourhood) are searched one after another on the same costs, and
/// neighbourhoods in parallel. Throws Error if the profile cannot be read, and passes on what `report` throws after
/// the running searches have stopped.
std::vector<Timed> replay_cases(const std::string& profile_folder, const std::vector<Case>& cases,
                                const ReplayOptions& options);

}  // namespace opsched::bench

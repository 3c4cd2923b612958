// Searches on a recorded profile, several at once.
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
  const ScheduleStore* store = nullptr;  ///< where answers are looked up and kept; none: all are found anew
  Topology topology{};                   ///< as if GPUs were joined so
  int threads = 0;                       ///< 0: one a processor
  std::function<void(const ReplayProgress&)> report;  ///< called often, in the calling thread; may throw to stop
};

/// Searches every case on the profile in a folder, without measuring: what is found and its latency there, or why
/// nothing was, in their order. Neighbours (Case::neighbourhood) are searched one after another on the same costs,
/// neighbourhoods side by side. Throws Error where the profile cannot be read, and passes on what `report` throws, once
/// the searches under way have stopped.
std::vector<Timed> replay_cases(const std::string& profile_folder, const std::vector<Case>& cases,
                                const ReplayOptions& options);

}  // namespace opsched::bench

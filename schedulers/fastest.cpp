#include "schedulers/fastest.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace opsched {

Schedule fastest(ScheduleLatencies& cost, std::vector<Candidate> candidates) {
  std::vector<double> ms;
  for (const Candidate& candidate : candidates) {
    const std::optional<double> whole = cost.schedule_ms(candidate.schedule);
    if (!whole) break;
    ms.push_back(*whole);
  }
  if (ms.size() < candidates.size()) {
    ms.clear();
    for (const Candidate& candidate : candidates) ms.push_back(candidate.makespan);
  }
  return std::move(candidates[std::ranges::min_element(ms) - ms.begin()].schedule);
}

bool Fastest::offer(Schedule schedule, std::optional<double> otherwise, double margin) {
  std::optional<double> ms = cost_.schedule_ms(schedule);
  if (!ms) ms = otherwise;
  if (!ms || *ms >= (1 - margin) * ms_) return false;
  best_ = std::move(schedule);
  ms_ = *ms;
  return true;
}

}  // namespace opsched

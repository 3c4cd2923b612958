// Timelines of all schedules in a results folder.
#pragma once

#include <map>
#include <string>

#include "experiments/device/device.hpp"
#include "experiments/records/records.hpp"

namespace opsched {

struct TimelineCounts {
  int written = 0;
  std::map<std::string, int> left_out;  ///< records, by why their schedule has no timeline
};

/// Writes the trace of each distinct schedule that a standing latency is of, explained (explain.hpp), to
/// INTO/GRAPH-SCHEDULE-PRECISION.json: fingerprints, as its record names them. A schedule that is not stored is
/// searched again on the profile in `folder`, and used if its fingerprint is the recorded one. Schedules whose network
/// has changed since, or whose costs `device` does not know, are left out.
TimelineCounts write_timelines(const records::Records& records, const std::string& folder, Device& device,
                               const std::string& into, const Report& report);

}  // namespace opsched

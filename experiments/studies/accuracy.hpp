// How good the simulator is, as records.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/sim/accuracy.hpp"
#include "experiments/records/record.hpp"

namespace opsched {

struct ProfileAccuracy {
  std::string file;  ///< name of the profile, without its folder
  DeviceFacts device;
  Precision precision = Precision::fp32;
  int stages = 0, schedules = 0;  ///< measured, in the profile
  Accuracy accuracy;
};

/// simulator_error: of all stages (label "group": concurrent, concurrent_seen, merge, operators) and of every network
/// (stages, replayed, unseen), and of every measured schedule (held_out; "again" numbers the second of one case and
/// those after it); simulator_law: what was fitted.
std::vector<records::Record> accuracy_records(const ProfileAccuracy& profile);

}  // namespace opsched

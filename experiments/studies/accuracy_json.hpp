// How good the simulator is, as JSON: what analysis/tables.py shows.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/sim/accuracy.hpp"

namespace opsched {

struct ProfileAccuracy {
  std::string file;  ///< name of the profile, without its folder
  DeviceFacts device;
  Precision precision = Precision::fp32;
  int stages = 0, schedules = 0;  ///< measured, in the profile
  Accuracy accuracy;
};

/// `command`: what made it.
std::string accuracy_to_json(const std::vector<ProfileAccuracy>& profiles, const std::string& command);

}  // namespace opsched

// What each process has found on its host.
#pragma once

#include <string>
#include <vector>

#include "core/processes/orders.hpp"

namespace opsched {

struct FoundDevices {
  std::string host;
  int cores = 0;
  std::vector<std::string> gpus;  ///< names
  std::string no_gpu;             ///< why there is none; empty: there is
};

/// On process 0: of every process, by rank.
std::vector<FoundDevices> found_devices(ProcessGroup& processes);
/// What the other processes do for it.
OrderHandlers found_devices_handlers(ProcessGroup& processes);

}  // namespace opsched

// How the GPUs that processes see are shared out among them.
#pragma once

#include <string>
#include <vector>

#include "core/processes/process_group.hpp"

namespace opsched {

/// What a process sees.
struct SeenGpus {
  std::string host;
  std::vector<std::string> ids;  ///< the same in every process that sees the same GPUs
  std::string reason;            ///< why there is none; empty: there is
};

struct SharedGpus {
  std::vector<int> own{};              ///< of this process, of those that it sees
  int total = 0;                       ///< of all
  std::vector<std::string> host_of{};  ///< of each process; on process 0
};

/// All processes call it together: those that see the same GPUs get equal shares of them, in the order of their ranks.
/// Throws Error on process 0, naming rank, host and reason, where a process gets none.
SharedGpus agree_on_gpus(ProcessGroup& processes, const SeenGpus& seen);

}  // namespace opsched

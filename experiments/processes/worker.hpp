// The main loop of all processes except the first.
#pragma once

#include "core/processes/process_group.hpp"

namespace opsched {

/// Executes the commands of process 0 until it ends. Throws Error for failures here or in another process.
void work(ProcessGroup& processes);

}  // namespace opsched

// What all processes but the first do.
#pragma once

#include "core/processes/process_group.hpp"

namespace opsched {

/// Does what process 0 says, until it says no more. Throws Error for what goes wrong here or in another process.
void work(ProcessGroup& processes);

}  // namespace opsched

// Replaces processes/mpi in builds without MPI.
#include "core/error.hpp"
#include "experiments/processes/launcher.hpp"

namespace opsched {

std::unique_ptr<ProcessGroup> join_through_mpi(const std::function<void()>&) {
  throw Error("started as " + std::to_string(launched().processes) +
              " processes, but this build has no MPI; configure it with -DOPSCHED_MPI=ON");
}

}  // namespace opsched

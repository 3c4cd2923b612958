// Detects whether this process was started together with others, and its rank.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/processes/process_group.hpp"

namespace opsched {

/// What a launcher (mpirun, srun) says of the processes that it started, before they know each other.
struct Launch {
  int processes = 1, rank = 0;
};
Launch launched();

/// The processes that were started together, or a group of one. `poll`: called from time to time while waiting; may
/// throw. Throws Error if there are others and this build has no MPI, or MPI disagrees with the launcher.
std::unique_ptr<ProcessGroup> join_processes(const std::function<void()>& poll);

/// Collective: throws Error on process 0 if another process has a different build or command line (`arguments`).
void require_same_program(ProcessGroup& processes, const std::string& arguments);

/// Through MPI. Without it in this build: throws Error.
std::unique_ptr<ProcessGroup> join_through_mpi(const std::function<void()>& poll);

}  // namespace opsched

// Was this process started with others, and as which of them?
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

/// The processes that were started together; alone if there are no others. `poll`: called now and then while something
/// is waited for; may throw. Throws Error where there are others and this build has no MPI, or MPI finds others than
/// the launcher says.
std::unique_ptr<ProcessGroup> join_processes(const std::function<void()>& poll);

/// All processes call it: throws Error on process 0 where another one is of another build, or was given another command
/// line (`arguments`).
void require_same_program(ProcessGroup& processes, const std::string& arguments);

/// Through MPI. Without it in this build: throws Error.
std::unique_ptr<ProcessGroup> join_through_mpi(const std::function<void()>& poll);

}  // namespace opsched

// The processes started together by mpirun or srun. Including it needs no MPI headers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "core/processes/process_group.hpp"

namespace opsched {

struct MpiOptions {
  /// A process that gives no sign of life for so long has failed. They give one four times a second, whatever they
  /// work on.
  std::chrono::milliseconds silence{30000};
  /// Called now and then while something is waited for; may throw.
  std::function<void()> poll{};
};

/// Starts MPI; once a process. All processes must let go of the group together, unless one has failed. Throws Error
/// where MPI cannot be used by several threads.
std::unique_ptr<ProcessGroup> make_mpi_group(const MpiOptions& options);

}  // namespace opsched

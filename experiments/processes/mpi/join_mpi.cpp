#include <cstdlib>

#include "core/error.hpp"
#include "core/processes/mpi/mpi_group.hpp"
#include "experiments/processes/launcher.hpp"

namespace opsched {

std::unique_ptr<ProcessGroup> join_through_mpi(const std::function<void()>& poll) {
  MpiOptions options{.poll = poll};
  if (const char* seconds = std::getenv("OPSCHED_SILENCE_SECONDS"); seconds != nullptr) {
    const double silence = std::atof(seconds);
    if (!(silence >= 1))
      throw Error("OPSCHED_SILENCE_SECONDS='" + std::string(seconds) + "': must be a number of at least 1");
    options.silence = std::chrono::milliseconds(static_cast<long>(silence * 1000));
  }
  return make_mpi_group(options);
}

}  // namespace opsched

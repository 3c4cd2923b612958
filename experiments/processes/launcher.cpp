#include "experiments/processes/launcher.hpp"

#include <cstdlib>
#include <initializer_list>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/hash.hpp"

namespace opsched {
namespace {

/// The number in the first of these variables that is set.
int number_from(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return std::atoi(value);
  return otherwise;
}

/// Identifies the build; equal in all processes of one build.
std::string build_id() {
  try {
    return hex_digits(fnv1a(MappedFile("/proc/self/exe").bytes()));
  } catch (const Error&) {  // without /proc
    return {};
  }
}

/// Every process must give the same text as process 0.
void require_same(ProcessGroup& processes, const std::string& text, const std::string& difference) {
  const std::vector<std::string> texts = processes.gather(text);
  for (std::size_t rank = 1; rank < texts.size(); ++rank)
    if (texts[rank] != text)
      throw Error("rank " + std::to_string(rank) + " " + difference +
                  ": all processes of a run need the same program and the same arguments");
}

}  // namespace

Launch launched() {
  // Open MPI; MPICH and its derivatives; Slurm. SLURM_NTASKS says nothing: a batch script already has it before srun
  // starts.
  return {.processes = number_from({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1),
          .rank = number_from({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"}, 0)};
}

std::unique_ptr<ProcessGroup> join_processes(const std::function<void()>& poll) {
  const Launch launch = launched();
  if (launch.processes < 2) return single_process();
  std::unique_ptr<ProcessGroup> processes = join_through_mpi(poll);
  if (processes->size() != launch.processes)
    throw Error("started as " + std::to_string(launch.processes) + " processes, but MPI finds " +
                std::to_string(processes->size()) +
                ": use the mpirun of the MPI that this program was built with, or srun --mpi=pmix with Slurm");
  return processes;
}

void require_same_program(ProcessGroup& processes, const std::string& arguments) {
  if (processes.size() == 1) return;
  require_same(processes, build_id(), "runs another build of opsched");
  require_same(processes, arguments, "was started with different arguments");
}

}  // namespace opsched

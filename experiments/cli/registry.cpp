#include "experiments/cli/command.hpp"

namespace opsched::cli {

// The list of commands, in display order. Each command is a file that defines `Command NAME_command()`. To add one,
// write that file and add a line here.
#define OPSCHED_COMMANDS(ADD) \
  ADD(list_command)           \
  ADD(show_command)           \
  ADD(schedule_command)       \
  ADD(optimize_command)       \
  ADD(run_command)            \
  ADD(trace_command)          \
  ADD(warps_command)          \
  ADD(bench_command)          \
  ADD(tune_command)           \
  ADD(profile_command)        \
  ADD(links_command)          \
  ADD(compare_command)        \
  ADD(arena_command)          \
  ADD(repeat_command)         \
  ADD(records_command)        \
  ADD(infer_command)          \
  ADD(count_command)          \
  ADD(growth_command)         \
  ADD(ablation_command)       \
  ADD(launch_command)         \
  ADD(replay_command)         \
  ADD(fit_command)            \
  ADD(simulate_command)       \
  ADD(roofline_command)       \
  ADD(reproduce_command)      \
  ADD(report_command)

#define OPSCHED_DECLARE(function) Command function();
OPSCHED_COMMANDS(OPSCHED_DECLARE)

std::vector<Command> commands() {
#define OPSCHED_CALL(function) function(),
  return {OPSCHED_COMMANDS(OPSCHED_CALL)};
}

}  // namespace opsched::cli

#include "experiments/cli/command.hpp"

namespace opsched::cli {

// One line a command: declare it here, and name it in the list.
Command ablation_command();
Command count_command();
Command fit_command();
Command growth_command();
Command infer_command();
Command list_command();
Command show_command();
Command schedule_command();
Command run_command();
Command bench_command();

std::vector<Command> commands() {
  return {
      list_command(),  show_command(),  schedule_command(), run_command(),      bench_command(),
      infer_command(), count_command(), growth_command(),   ablation_command(), fit_command(),
  };
}

}  // namespace opsched::cli

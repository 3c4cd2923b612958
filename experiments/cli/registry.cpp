#include "experiments/cli/command.hpp"

namespace opsched::cli {

// One line a command: declare it here, and name it in the list.
Command infer_command();
Command list_command();

std::vector<Command> commands() {
  return {
      list_command(),
      infer_command(),
  };
}

}  // namespace opsched::cli

#include "experiments/cli/command.hpp"

namespace opsched::cli {

// One line a command: declare it here, and name it in the list.

std::vector<Command> commands() { return {}; }

}  // namespace opsched::cli

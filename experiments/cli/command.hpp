// A command of the program, and the list of them. A new command is one file with a function that
// returns a Command, and one line in registry.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace opsched::cli {

struct Command {
  std::string name;
  std::string summary;   ///< one line, shown by `opsched --help`
  std::string examples;  ///< shown at the end of `opsched NAME --help`; one a line
  /// Adds options to `app` and returns what to do once they are parsed. What it returns owns the
  /// variables that the options are bound to. It throws opsched::Error for what the user can put
  /// right and calls check_interrupt() in long loops.
  std::function<std::function<void()>(CLI::App& app)> setup;
};

/// All commands, in the order in which they are shown.
std::vector<Command> commands();

}  // namespace opsched::cli

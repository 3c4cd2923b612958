// Commands of the program, the list of them, and what they share. A new command is one file with a function that
// returns a Command, and one line in registry.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"
#include "core/processes/process_group.hpp"
#include "core/text_table.hpp"
#include "experiments/console/status_line.hpp"

namespace opsched::cli {

/// What a command does once its options are parsed, on process 0 of these.
using Action = std::function<void(ProcessGroup& processes)>;

/// How a command begins.
struct Setup {
  /// Adds options to `app` and returns the function to run after parsing. That function owns the variables bound to
  /// the options, throws opsched::Error for errors that the user can fix, and calls check_interrupt() in long loops.
  std::function<Action(CLI::App& app)> add_to;
  bool several_processes = false;  ///< it supports several processes
};

struct Command {
  std::string name;
  std::string summary;   ///< one line, shown by `opsched --help`
  std::string examples;  ///< shown at the end of `opsched NAME --help`, one per line
  Setup setup;
};

/// For a command whose options are a struct Options with add_to(app): binds them and calls `run`.
template <class Options>
Setup setup_of(void (*run)(Options&, ProcessGroup&)) {
  return {.add_to = [run](CLI::App& app) -> Action {
            const auto options = std::make_shared<std::remove_const_t<Options>>();
            options->add_to(app);
            return [run, options](ProcessGroup& processes) { run(*options, processes); };
          },
          .several_processes = true};
}

/// The same, for a command that runs in one process.
template <class Options>
Setup setup_of(void (*run)(Options&)) {
  return {.add_to = [run](CLI::App& app) -> Action {
    const auto options = std::make_shared<std::remove_const_t<Options>>();
    options->add_to(app);
    return [run, options](ProcessGroup&) { run(*options); };
  }};
}

/// All commands, in display order.
std::vector<Command> commands();

// Checks for invalid input that CLI11 accepts: octal and hexadecimal numbers, nan, empty values and list entries.

/// Adds to every option of a command what help says of its default, and checks: numbers are decimal and finite, words
/// are not empty and have no control characters, places to write to can be written.
void check_values(CLI::App& app);

/// If the command has positional arguments, a list option takes only the next word, as in --batch 1,16 FOLDER.
void keep_lists_short(CLI::App& app);

/// Throws Error for an empty value, and for an empty entry of a list ("a,,b", "a,"), of the command's options.
void check_arguments(const CLI::App& app, int argc, char** argv);

}  // namespace opsched::cli

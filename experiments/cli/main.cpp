// The program: reads the command line, runs one command, turns exceptions into exit codes.
//   0 done; 1 a fault of the program; 2 something that the user can put right; 130 interrupted.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>

#include "core/names.hpp"
#include "core/utf8.hpp"
#include "experiments/cli/command.hpp"

namespace {

using namespace opsched;

const char* const kExamples = R"(Examples:
  opsched list                                          networks, schedulers and their options, devices
  opsched show inception_v3                             blocks, operators, multiply-accumulates
  opsched schedule squeezenet --scheduler ios-both -o s.json
  opsched run squeezenet --schedule s.json              its latency, and whether it computes the right thing
  opsched bench                                         every network under every scheduler: the main job
  opsched COMMAND --help                                options of a command, with examples

Latencies are measured where there is a GPU (and this build has the CUDA runtime), else replayed from
what was recorded; every number says which.
Exit codes: 0 done, 2 wrong input (the message says what to change), 130 stopped by Ctrl-C.)";

int run(int argc, char** argv) {
  CLI::App app{
      "Inter-operator scheduling of CNN inference: which operators run together, on which stream of which GPU, "
      "in which order.",
      "opsched"};
  app.require_subcommand(1);
  app.footer(kExamples);
  app.get_formatter()->column_width(34);
  std::function<void()> chosen;
  const std::vector<cli::Command> commands = cli::commands();
  for (const cli::Command& command : commands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    if (!command.examples.empty()) sub->footer("Examples:\n" + command.examples);
    sub->callback([&chosen, action = command.setup(*sub)] { chosen = action; });
    cli::check_values(*sub);
  }
  if (argc == 1) {
    std::cerr << app.help();
    return 2;
  }
  if (const std::string name = argv[1]; !name.starts_with("-")) {
    if (std::ranges::find(commands, name, &cli::Command::name) == commands.end())
      throw Error("unknown command '" + name + "'; there are: " + joined(commands, &cli::Command::name) +
                  " (opsched --help)");
    cli::check_arguments(*app.get_subcommand(name), argc, argv);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  cli::watch_interrupts();
  chosen();
  if (!std::cout.flush()) throw Error("standard output: cannot write (is the disk full?)");
  return 0;
}

/// Messages quote files and options, which may hold anything.
int wrong_input(const std::exception& e) {
  std::cerr << "opsched: " << printable(e.what()) << "\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const opsched::cli::Interrupted&) {
    std::cerr << "opsched: stopped; what was finished is kept\n";
    return 130;
  } catch (const opsched::Error& e) {
    return wrong_input(e);
  } catch (const std::filesystem::filesystem_error& e) {
    return wrong_input(e);
  } catch (const std::bad_alloc&) {
    std::cerr << "opsched: not enough memory on this machine\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "opsched: internal error: " << printable(e.what()) << "\n";
    return 1;
  }
}

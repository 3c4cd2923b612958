// The program: reads the command line, runs one command, turns exceptions into exit codes.
//   0 done; 1 a fault of the program; 2 something that the user can put right; 130 interrupted.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>

#include "core/names.hpp"
#include "core/processes/orders.hpp"
#include "core/utf8.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/processes/launcher.hpp"
#include "experiments/processes/worker.hpp"

namespace {

using namespace opsched;

const char* const kExamples = R"(Examples:
  opsched list                                          networks, schedulers and options, devices
  opsched show inception_v3                             blocks, operators, multiply-accumulates
  opsched schedule squeezenet --scheduler ios-both -o s.json
  opsched run squeezenet --schedule s.json              latency and correctness
  opsched bench                                         latency of networks under schedulers
  opsched COMMAND --help                                options and examples of a command

Latencies are measured if there is a GPU (and this build has the CUDA runtime), and otherwise
replayed from recorded measurements. Every number is marked accordingly.
Exit codes: 0 success, 2 invalid input (the message says what to change), 130 stopped by Ctrl-C.)";

void require_one_process(const std::vector<cli::Command>& commands, const std::string& name) {
  std::vector<std::string> several;
  for (const cli::Command& command : commands)
    if (command.setup.several_processes) several.push_back(command.name);
  if (std::ranges::find(several, name) == several.end())
    throw Error(
        "opsched " + name +
        " runs in one process: start it without mpirun or srun. Commands that run in several: " + joined(several));
}

/// Wraps help text to the terminal.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kColumn); }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(CLI::Formatter::make_option_desc(option), "", kTextWidth - kColumn);
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::stringstream out;
    CLI::detail::format_help(out, command->get_display_name(true),
                             wrapped(command->get_description(), "", kTextWidth - kColumn), kColumn);
    return out.str();
  }
  std::string make_description(const CLI::App* command) const override {
    return wrapped(CLI::Formatter::make_description(command));
  }

 private:
  static constexpr std::size_t kColumn = 34;  ///< column of the descriptions
};

int run(int argc, char** argv, ProcessGroup& processes) {
  CLI::App app{
      "Inter-operator scheduling of CNN inference: which operators run together, on which stream of which GPU, and in "
      "which order.",
      "opsched"};
  app.require_subcommand(1);
  app.footer(wrapped(kExamples));
  app.formatter(std::make_shared<HelpFormatter>());
  cli::Action chosen;
  const std::vector<cli::Command> commands = cli::commands();
  for (const cli::Command& command : commands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    if (!command.examples.empty()) sub->footer(wrapped("Examples:\n" + command.examples));
    sub->callback([&chosen, action = command.setup.add_to(*sub)] { chosen = action; });
    cli::check_values(*sub);
    cli::keep_lists_short(*sub);
  }
  if (argc == 1) {
    std::cerr << app.help();
    return 2;
  }
  if (const std::string name = argv[1]; !name.starts_with("-")) {
    if (std::ranges::find(commands, name, &cli::Command::name) == commands.end())
      throw Error("unknown command '" + name + "'; there are: " + joined(commands, &cli::Command::name) +
                  " (opsched --help)");
    if (processes.size() > 1) require_one_process(commands, name);
    cli::check_arguments(*app.get_subcommand(name), argc, argv);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  chosen(processes);
  if (!std::cout.flush()) throw Error("standard output: cannot write (is the disk full?)");
  return 0;
}

/// The exit code of `action`; the text of an exception is passed to `say`.
int guarded(const std::function<int()>& action, const std::function<void(const std::string&)>& say) {
  constexpr int kFault = 1, kWrongInput = 2, kStopped = 130;
  // Messages quote files and options, which may contain any bytes.
  try {
    return action();
  } catch (const cli::Interrupted&) {
    say("stopped; finished results are saved");
    return kStopped;
  } catch (const Error& e) {
    say(printable(e.what()));
  } catch (const std::filesystem::filesystem_error& e) {
    say(printable(e.what()));
  } catch (const std::bad_alloc&) {
    say("not enough memory on this machine");
  } catch (const std::exception& e) {
    say("internal error: " + printable(e.what()));
    return kFault;
  }
  return kWrongInput;
}

/// In one write, because mpirun inserts its own lines between writes.
void print_error(const std::string& text) { std::cerr << "opsched: " + text + "\n"; }

/// The command line as text.
std::string command_line(int argc, char** argv) {
  std::string line;
  for (int i = 1; i < argc; ++i) line += std::string(argv[i]) + '\0';
  return line;
}

/// Runs process 0, or the only process.
int lead(int argc, char** argv, ProcessGroup& processes) {
  const int code = guarded(
      [&] {
        require_same_program(processes, command_line(argc, argv));
        return run(argc, argv, processes);
      },
      print_error);
  if (processes.size() == 1) return code;
  std::cerr.flush();
  if (code != 0) processes.end_all(code);
  return guarded(
      [&] {
        end_orders(processes);
        return 0;
      },
      print_error);
}

/// Runs every other process. Process 0 prints errors from here and ends all processes.
int follow(int argc, char** argv, ProcessGroup& processes) {
  const int code = guarded(
      [&] {
        require_same_program(processes, command_line(argc, argv));
        work(processes);
        return 0;
      },
      [&](const std::string& text) { processes.fail(text); });
  if (code == 0) return code;
  processes.end_all(code);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<ProcessGroup> processes;
  const int joined = guarded(
      [&] {
        if (launched().rank == 0) cli::watch_interrupts();  // in other processes the launcher handles signals
        processes = join_processes(cli::check_interrupt);
        return 0;
      },
      [](const std::string& text) {
        if (launched().rank == 0) print_error(text);
      });
  if (joined != 0) return joined;
  return processes->leads() ? lead(argc, argv, *processes) : follow(argc, argv, *processes);
}

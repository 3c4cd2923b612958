// opsched simulate: HIOS's studies on random DAGs.
#include <iostream>
#include <memory>

#include "experiments/cli/command.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/studies/simulation_study.hpp"

namespace opsched::cli {
namespace {

struct Options {
  std::vector<std::string> studies;
  SimulationOptions simulation;
};

/// What was asked for, so that results say how to make them again.
std::string command_of(const SimulationOptions& options, const std::string& study) {
  std::string command = "opsched simulate " + study;
  if (options.dags > 0) command += " --dags " + std::to_string(options.dags);
  return command + " --window " + std::to_string(options.window) + " --seed " + std::to_string(options.seed);
}

void simulate_studies(const Options& options) {
  std::vector<SimulationStudy> studies;
  for (const std::string& name : options.studies) studies.push_back(find_simulation_study(name));
  if (studies.empty()) studies = simulation_studies();
  StatusLine status;
  for (const SimulationStudy& study : studies) {
    SimulationOptions simulation = options.simulation;
    simulation.command = command_of(simulation, study.name);
    simulation.progress = interruptible(status);
    run_simulation(study, simulation);
    status.clear();
    std::cout << simulation.folder << "/" << study.name << ".json\n";
  }
  std::cout << options.simulation.folder << "/README.md\n";
}

}  // namespace

Command simulate_command() {
  std::string known;
  for (const SimulationStudy& study : simulation_studies()) known += (known.empty() ? "" : ", ") + study.name;
  return {.name = "simulate",
          .summary = "HIOS's simulation studies on random DAGs, every algorithm, with confidence bands",
          .examples =
              "  opsched simulate                           all studies into results/simulation\n"
              "  opsched simulate gpus ratio -o my/studies   two of them, elsewhere\n"
              "  opsched simulate gpus --dags 5 -o /tmp/try  fewer DAGs a point",
          .setup = [known](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<Options>();
            options->simulation.folder = "results/simulation";
            app.add_option("STUDY", options->studies, "Some of: " + known + "; all by default");
            app.add_option("--dags", options->simulation.dags,
                           "Random DAGs a point; by default 30, in mixed 1000, optimum 100, speed 3")
                ->check(CLI::Range(1, 100'000));
            app.add_option("--seed", options->simulation.seed, "Of the DAGs")
                ->check(CLI::Range(0, 1'000'000))
                ->capture_default_str();
            app.add_option("--window", options->simulation.window, "Most operators in a stage")
                ->check(CLI::Range(1, 1000))
                ->capture_default_str();
            app.add_option("-o,--output", options->simulation.folder,
                           "Folder of the results; points that it holds are kept")
                ->capture_default_str();
            return [options] { simulate_studies(*options); };
          }};
}

}  // namespace opsched::cli

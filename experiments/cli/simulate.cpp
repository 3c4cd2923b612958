// opsched simulate: simulation studies on random DAGs, as in HIOS.
#include "core/names.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/simulation_study.hpp"

namespace opsched::cli {
namespace {

struct SimulateOptions {
  std::vector<std::string> studies;
  SimulationOptions simulation;
  RecordOptions records{.out = "results/simulation"};

  void add_to(CLI::App& app) {
    const std::string known = joined(simulation_studies(), &SimulationStudy::name);
    app.add_option("STUDY", studies, "Some of: " + known + "; all by default");
    app.add_option("--dags", simulation.dags, "Random DAGs per point (default: 30; mixed 1000, optimum 100, speed 3)")
        ->check(CLI::Range(1, 100'000));
    app.add_option("--seed", simulation.seed, "Seed of the DAGs")->check(CLI::Range(0, 1'000'000));
    app.add_option("--window", simulation.window, "Maximum number of operators in a stage")->check(CLI::Range(1, 1000));
    records.add_to(app);
  }
};

void simulate_studies(const SimulateOptions& options) {
  std::vector<SimulationStudy> studies;
  for (const std::string& name : options.studies)
    studies.push_back(
        find_named(simulation_studies(), name, "there is no simulation study '" + name + "'; there are: "));
  if (studies.empty()) studies = simulation_studies();
  StatusLine status;
  const std::unique_ptr<records::RecordFile> file = options.records.open();
  if (!file) throw Error("--out needs a folder, because the values of every DAG are stored");
  SimulationOptions simulation = options.simulation;
  simulation.progress = interruptible(status);
  for (const SimulationStudy& study : studies) {
    run_simulation(study, simulation, *file, options.records.fresh);
    status.clear();
    std::cout << simulation_table(study, file->records()) << "\n" << std::flush;
  }
  file->finish();
  std::cout << "The values of every DAG: " << records::records_file(options.records.out) << "\n";
}

}  // namespace

Command simulate_command() {
  return {.name = "simulate",
          .summary = "Run HIOS's simulation studies on random DAGs, for every algorithm, with confidence intervals",
          .examples =
              "  opsched simulate                             all studies, into results/simulation\n"
              "  opsched simulate gpus ratio --out my/studies  two studies, into another folder\n"
              "  opsched simulate gpus --dags 5 --out /tmp/try fewer DAGs per point",
          .setup = setup_of(simulate_studies)};
}

}  // namespace opsched::cli

#include "experiments/studies/simulation_study.hpp"

#include <cmath>
#include <ctime>
#include <filesystem>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

const std::vector<std::string> compared = {"sequential", "ios-parallel", "hios-lp-inter", "hios-mr-inter",
                                           "hios-lp",    "hios-mr",      "heft",          "reinsert"};

/// One parameter of the defaults (200 operators, 14 layers, 400 dependencies, ratio 0.8, 4 GPUs) varied.
template <class Change>
SimulationStudy varied(std::string name, std::string title, std::string parameter, std::vector<double> values,
                       Change change) {
  SimulationStudy study{.name = std::move(name),
                        .title = std::move(title),
                        .parameter = std::move(parameter),
                        .algorithms = compared,
                        .points = {}};
  for (double x : values) {
    RandomDagOptions dag;
    int gpus = 4;
    change(x, dag, gpus);
    study.points.push_back({x, gpus, [dag](std::uint64_t seed) {
                              RandomDagOptions drawn = dag;
                              drawn.seed = seed;
                              return drawn;
                            }});
  }
  return study;
}

std::vector<SimulationStudy> make_studies() {
  std::vector<SimulationStudy> studies;
  studies.push_back(varied("gpus", "Number of GPUs", "GPUs", {2, 4, 6, 8, 10, 12},
                           [](double x, RandomDagOptions&, int& gpus) { gpus = static_cast<int>(x); }));
  studies.push_back(varied("operators", "Number of operators (two dependencies each)", "operators",
                           {100, 150, 200, 250, 300, 350, 400}, [](double x, RandomDagOptions& dag, int&) {
                             dag.operators = static_cast<int>(x);
                             dag.dependencies = 2 * dag.operators;
                           }));
  studies.push_back(varied("layers", "Number of layers", "layers", {6, 8, 10, 12, 14, 16, 18, 20, 22},
                           [](double x, RandomDagOptions& dag, int&) { dag.layers = static_cast<int>(x); }));
  studies.push_back(varied("dependencies", "Number of dependencies", "dependencies", {400, 500, 600, 700, 800},
                           [](double x, RandomDagOptions& dag, int&) { dag.dependencies = static_cast<int>(x); }));
  studies.push_back(varied("ratio", "Ratio of communication to computation", "ratio", {0.4, 0.6, 0.8, 1.0, 1.2},
                           [](double x, RandomDagOptions& dag, int&) { dag.ratio = x; }));

  SimulationStudy mixed{.name = "mixed",
                        .title = "A mixed population: 20 to 200 operators, ratio 0.4 to 1.2",
                        .parameter = "GPUs",
                        .measure = Measure::share,
                        .dags = 1000,
                        .algorithms = compared,
                        .points = {}};
  for (int gpus : {2, 4}) mixed.points.push_back({static_cast<double>(gpus), gpus, mixed_dag});
  studies.push_back(std::move(mixed));

  SimulationStudy optimum = varied("optimum", "Distance from the optimum on small DAGs", "operators", {6, 8, 10, 12},
                                   [](double x, RandomDagOptions& dag, int& gpus) {
                                     dag.operators = static_cast<int>(x);
                                     dag.layers = 4;
                                     dag.dependencies = 2 * dag.operators - 4;
                                     gpus = 2;
                                   });
  optimum.measure = Measure::gap;
  optimum.dags = 100;
  optimum.algorithms = {"exact", "hios-lp", "hios-mr", "heft", "reinsert"};
  studies.push_back(std::move(optimum));

  SimulationStudy speed = varied("speed", "Time to schedule", "operators", {50, 100, 200, 500, 1000, 2000, 5000, 10000},
                                 [](double x, RandomDagOptions& dag, int& gpus) {
                                   dag.operators = static_cast<int>(x);
                                   dag.layers = static_cast<int>(std::lround(14 * std::sqrt(x / 200)));
                                   dag.dependencies = 2 * dag.operators;
                                   gpus = x <= 200 ? 4 : x <= 1000 ? 8 : x <= 2000 ? 16 : 64;
                                 });
  speed.measure = Measure::time;
  speed.dags = 3;
  speed.algorithms = {"hios-lp-inter", "hios-lp", "hios-mr", "heft", "reinsert"};
  studies.push_back(std::move(speed));
  return studies;
}

/// IOS's search is exponential in the width: parts of 16 operators keep it fast, and cost next to nothing
/// here (its makespan is within a percent of the lower bound of one device).
SchedulerOptions options_of(const std::string& algorithm, int window) {
  const std::string width = std::to_string(window);
  if (algorithm.starts_with("ios-")) return {{"max-part-size", "16"}, {"s", width}};
  return find_scheduler(algorithm).options.contains("window") ? SchedulerOptions{{"window", width}}
                                                              : SchedulerOptions{};
}

/// Adds the values of one DAG to a point.
void add_dag(SimulationPoint& point, SyntheticCost& cost, const SimulationResult& result,
             const std::function<void(const std::string&)>& progress) {
  double sequential = 0;
  for (OpId op : cost.graph().units()) sequential += cost.operator_ms(op);
  point.sequential_ms.push_back(sequential);
  point.lower_bound_ms.push_back(lower_bounds(cost, point.gpus).lower());
  for (const std::string& algorithm : result.algorithms) {
    progress(algorithm);
    const int most = find_scheduler(algorithm).max_devices;
    const SchedulerRequest request{.cost = cost,
                                   .devices = most == 0 ? point.gpus : std::min(most, point.gpus),
                                   .options = options_of(algorithm, result.window),
                                   .progress = [&](const std::string&) { progress(algorithm); }};
    const std::clock_t begin = std::clock();
    const Schedule schedule = make_schedule(algorithm, request);
    SimulationSeries& series = point.algorithms[algorithm];
    series.cpu_ms.push_back(1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    series.makespan_ms.push_back(evaluate(cost, schedule).makespan);
  }
}

/// What the file holds already; throws Error if that comes from other settings.
std::vector<SimulationPoint> known_points(const SimulationResult& wanted, const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  const SimulationResult known = simulation_from_json(read_file(path), path);
  if (known.seed != wanted.seed || known.dags != wanted.dags || known.window != wanted.window ||
      known.algorithms != wanted.algorithms)
    throw Error(path + ": comes from other settings (" + known.command + "); remove it or name another folder");
  return known.points;
}

void write_page(const std::string& folder) {
  std::vector<SimulationResult> results;
  for (const SimulationStudy& study : simulation_studies()) {
    const std::string path = folder + "/" + study.name + ".json";
    if (std::filesystem::exists(path)) results.push_back(simulation_from_json(read_file(path), path));
  }
  write_file_atomically(folder + "/README.md", simulations_to_markdown(results));
}

}  // namespace

const std::vector<SimulationStudy>& simulation_studies() {
  static const std::vector<SimulationStudy> studies = make_studies();
  return studies;
}

const SimulationStudy& find_simulation_study(const std::string& name) {
  std::string known;
  for (const SimulationStudy& study : simulation_studies()) {
    if (study.name == name) return study;
    known += (known.empty() ? "" : ", ") + study.name;
  }
  throw Error("there is no simulation study '" + name + "'; there are: " + known);
}

void run_simulation(const SimulationStudy& study, const SimulationOptions& options) {
  SimulationResult result{.study = study.name,
                          .title = study.title,
                          .parameter = study.parameter,
                          .measure = study.measure,
                          .command = options.command,
                          .seed = options.seed,
                          .dags = options.dags > 0 ? options.dags : study.dags,
                          .window = options.window,
                          .algorithms = study.algorithms,
                          .points = {}};
  const std::string path = options.folder + "/" + study.name;
  const std::vector<SimulationPoint> known = known_points(result, path + ".json");
  for (std::size_t i = 0; i < study.points.size(); ++i) {
    const SimulationStudy::Point& point = study.points[i];
    if (i < known.size() && known[i].x == point.x && known[i].gpus == point.gpus) {
      result.points.push_back(known[i]);
      continue;
    }
    SimulationPoint found{
        .x = point.x, .gpus = point.gpus, .sequential_ms = {}, .lower_bound_ms = {}, .algorithms = {}};
    for (int dag = 0; dag < result.dags; ++dag) {
      const auto progress = [&](const std::string& algorithm) {
        if (!options.progress) return;
        options.progress(study.name + ": point " + std::to_string(i + 1) + " of " +
                         std::to_string(study.points.size()) + ", DAG " + std::to_string(dag + 1) + " of " +
                         std::to_string(result.dags) + ", " + algorithm);
      };
      SyntheticCost cost =
          synthetic_cost(random_dag(point.dag(options.seed * 1'000'000 + static_cast<std::uint64_t>(dag))));
      add_dag(found, cost, result, progress);
    }
    result.points.push_back(std::move(found));
    write_file_atomically(path + ".json", simulation_to_json(result));
    write_file_atomically(path + ".csv", simulation_to_csv(result));
    write_page(options.folder);
  }
}

}  // namespace opsched

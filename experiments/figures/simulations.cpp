// HIOS's simulation studies and ours (experiments/studies/simulation_study.hpp), as figures.
#include <filesystem>
#include <utility>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/figures/simulations.hpp"
#include "experiments/studies/confidence.hpp"
#include "experiments/studies/simulation_study.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;

/// Beside the device's results; else in those of the project; else to be made beside the device's.
std::string folder_of(const Place& place, const std::string& study) {
  const std::string beside = (fs::path(place.results).parent_path() / "simulation").string();
  const std::string own = OPSCHED_SOURCE_DIR "/results/simulation";
  return !fs::exists(beside + "/" + study + ".json") && fs::exists(own + "/" + study + ".json") ? own : beside;
}

void put(Row& row, const std::string& name, const std::vector<double>& sample) {
  const Band band = confidence_band(sample);
  row.numbers[name] = band.mean;
  row.numbers[name + "_low"] = band.low;
  row.numbers[name + "_high"] = band.high;
}

Row row_of(const SimulationResult& result, const SimulationPoint& point, const std::string& algorithm,
           const std::vector<double>& makespans) {
  Row row;
  row.result.what = {.network = "random DAGs", .scheduler = algorithm, .gpus = point.gpus};
  row.result.how = "synthetic";
  row.source = "made-up costs of random DAGs, seed " + std::to_string(result.seed) + ", " +
               std::to_string(result.dags) + " a point: " + result.command;
  row.labels = {{"parameter", result.parameter}};
  row.numbers["x"] = point.x;
  std::vector<double> shares = makespans;
  for (std::size_t i = 0; i < shares.size(); ++i) shares[i] /= point.sequential_ms[i];
  put(row, "makespan_ms", makespans);
  put(row, "share", shares);
  return row;
}

std::vector<Row> gather(Lab& lab, const SimulationStudy& study) {
  SimulationOptions options;
  options.folder = folder_of(lab.place(), study.name);
  options.command = "opsched simulate " + study.name + " --window 2 --seed 1";
  options.progress = [&](const std::string& text) { lab.report(text); };
  run_simulation(study, options);  // points that are there are kept
  const std::string file = options.folder + "/" + study.name + ".json";
  const SimulationResult result = simulation_from_json(read_file(file), file);
  std::vector<Row> rows;
  for (const SimulationPoint& point : result.points) {
    for (const std::string& algorithm : result.algorithms) {
      const SimulationSeries& series = point.algorithms.at(algorithm);
      rows.push_back(row_of(result, point, algorithm, series.makespan_ms));
      rows.back().numbers["cpu_ms"] = median(series.cpu_ms);
      if (point.algorithms.contains("exact")) {
        std::vector<double> gaps = series.makespan_ms;
        for (std::size_t i = 0; i < gaps.size(); ++i)
          gaps[i] = 100 * (gaps[i] / point.algorithms.at("exact").makespan_ms[i] - 1);
        put(rows.back(), "gap_percent", gaps);
      }
    }
    if (study.measure == Measure::makespan || study.measure == Measure::share)
      rows.push_back(row_of(result, point, "lower bound", point.lower_bound_ms));
  }
  return rows;
}

}  // namespace

std::vector<Figure> simulation_figures() {
  std::vector<Figure> figures;
  for (const SimulationStudy& study : simulation_studies())
    figures.push_back({.name = "sim_" + study.name,
                       .title = "Simulated: " + study.title,
                       .paper = "HIOS: simulations, " + study.parameter,
                       .items = [&study](const Place&) {
                         return std::vector<Item>{{.key = "simulation/" + study.name,
                                                   .what = {.network = "random DAGs", .scheduler = study.name},
                                                   .seconds = 0,
                                                   .gather = [&study](Lab& lab) { return gather(lab, study); }}};
                       }});
  return figures;
}

}  // namespace opsched::figures

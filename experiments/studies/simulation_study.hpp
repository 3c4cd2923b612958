// HIOS's simulation studies, and three of our own: against the optimum, on a mixed population, and of speed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/studies/simulation_result.hpp"
#include "networks/random_dag.hpp"

namespace opsched {

struct SimulationStudy {
  struct Point {
    double x;
    int gpus;
    std::function<RandomDagOptions(std::uint64_t seed)> dag;
  };
  std::string name, title, parameter;
  Measure measure = Measure::makespan;
  int dags = 30;  ///< a point
  std::vector<std::string> algorithms;
  std::vector<Point> points;
};

const std::vector<SimulationStudy>& simulation_studies();
/// Throws Error listing the known names.
const SimulationStudy& find_simulation_study(const std::string& name);

struct SimulationOptions {
  int dags = 0;  ///< a point; 0: the study's own number
  std::uint64_t seed = 1;
  int window = 2;
  std::string folder;   ///< where the results go
  std::string command;  ///< written into them
  std::function<void(const std::string&)> progress;
};

/// Runs a study and writes NAME.json, NAME.csv and README.md, a page of all studies that the folder holds,
/// after every point. Points that are there already, from the same settings, are not run again.
/// Throws Error where the file holds other settings.
void run_simulation(const SimulationStudy& study, const SimulationOptions& options);

}  // namespace opsched

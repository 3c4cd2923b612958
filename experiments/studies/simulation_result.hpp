// What a simulation study found: kept as JSON, shown as CSV and Markdown.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace opsched {

/// One algorithm at one point; a value a DAG.
struct SimulationSeries {
  std::vector<double> makespan_ms;
  std::vector<double> cpu_ms;  ///< processor time that scheduling took
};

struct SimulationPoint {
  double x = 0;
  int gpus = 0;
  std::vector<double> sequential_ms, lower_bound_ms;  ///< a value a DAG
  std::map<std::string, SimulationSeries> algorithms;
};

/// How points are shown: makespans, their share of the sequential one, time to schedule, or their
/// distance from the optimum.
enum class Measure { makespan, share, time, gap };

struct SimulationResult {
  std::string study, title, parameter;
  Measure measure = Measure::makespan;
  std::string command;  ///< that made it
  std::uint64_t seed = 1;
  int dags = 0;  ///< a point
  int window = 2;
  std::vector<std::string> algorithms;  ///< in the order in which they are shown
  std::vector<SimulationPoint> points;
};

std::string simulation_to_json(const SimulationResult& result);
/// Throws Error beginning with `where` for text that is no such JSON.
SimulationResult simulation_from_json(const std::string& text, const std::string& where);

/// A line a point and algorithm: means with their 95% confidence bands.
std::string simulation_to_csv(const SimulationResult& result);

/// A page with a table a study.
std::string simulations_to_markdown(const std::vector<SimulationResult>& results);

}  // namespace opsched

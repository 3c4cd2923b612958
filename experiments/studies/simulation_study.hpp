// HIOS's simulation studies, and some of our own: against the optimum, on a mixed population, of speed, of operators in
// strips, and of several hosts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/records/record_file.hpp"
#include "networks/random_dag.hpp"

namespace opsched {

/// How points are shown: makespans, their share of the sequential one, time to schedule, or their
/// distance from the optimum.
enum class Measure { makespan, share, time, gap };

/// Bandwidth of the links that a DAG's transfers are of, GB/s, where a study has hosts: NVLink's of an H200.
inline constexpr double kLocalLinkGbs = 400;

struct SimulationStudy {
  struct Point {
    double x;
    int gpus;
    std::function<RandomDagOptions(std::uint64_t seed)> dag;
    Topology topology{};  ///< one host, or hosts whose links are stated beside kLocalLinkGbs
  };
  std::string name, title, parameter;
  Measure measure = Measure::makespan;
  int dags = 30;                        ///< a point
  std::vector<std::string> algorithms;  ///< schedulers, some with options: "heft split=rows"
  std::vector<Point> points;
  bool of_hios = false;  ///< one of HIOS's; else ours
  bool bound = true;     ///< does the lower bound hold, of operators that run on one device each?

  /// The algorithms and, where it holds, "lower-bound".
  std::vector<std::string> lines() const;
};

const std::vector<SimulationStudy>& simulation_studies();

struct SimulationOptions {
  int dags = 0;  ///< a point; 0: the study's own number
  std::uint64_t seed = 1;
  int window = 2;
  std::function<void(const std::string&)> progress;
};

/// The record of an algorithm at a point, its series empty: quantity makespan, labels "study" and "x".
records::Record simulation_record(const SimulationStudy& study, const SimulationStudy::Point& point,
                                  const std::string& algorithm);

/// Runs a study and adds a record for every point and algorithm, with the values of every DAG in its series:
/// makespan_ms, cpu_ms (processor time that scheduling took), sequential_ms; and one for "lower-bound" where it holds.
/// What is there already from the same settings is not run again. Throws Error where the file holds other settings,
/// unless `replace`.
void run_simulation(const SimulationStudy& study, const SimulationOptions& options, records::RecordFile& file,
                    bool replace = false);

/// A table: a line a point, a column an algorithm; what is shown as the study's measure says.
std::string simulation_table(const SimulationStudy& study, const records::Records& records);

}  // namespace opsched

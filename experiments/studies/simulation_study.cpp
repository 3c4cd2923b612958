#include "experiments/studies/simulation_study.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <ctime>
#include <sstream>
#include <utility>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "core/statistics.hpp"
#include "core/text_table.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

constexpr double kBytesPerMs = 1e6;  // 1 GB/s

const std::vector<std::string> compared = {"sequential", "ios-parallel", "hios-lp-inter", "hios-mr-inter",
                                           "hios-lp",    "hios-mr",      "heft",          "reinsert"};

/// Varies one of the default parameters (200 operators, 14 layers, 400 dependencies, ratio 0.8, 4 GPUs).
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

  for (SimulationStudy& study : studies) study.of_hios = true;  // the following algorithms are ours

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

  // HIOS has no split operators. With 64 rows, each of 64 GPUs gets one; halos are one row on each side.
  const auto of_strips = [](std::string name, std::string title, std::string parameter, std::vector<double> values,
                            auto change) {
    SimulationStudy study = varied(std::move(name), std::move(title), std::move(parameter), std::move(values),
                                   [=](double x, RandomDagOptions& dag, int& gpus) {
                                     dag.rows = 64;
                                     dag.divisible = 0.9;
                                     change(x, dag, gpus);
                                   });
    study.measure = Measure::share;
    study.bound = false;
    study.algorithms = {"hios-lp", "heft", "hios-lp split=rows", "heft split=rows"};
    return study;
  };
  studies.push_back(of_strips("divisible", "Operators in strips of rows, by the share of their latency that divides",
                              "divisible share", {0, 0.25, 0.5, 0.75, 0.9, 1},
                              [](double x, RandomDagOptions& dag, int&) { dag.divisible = x; }));
  studies.push_back(of_strips("strips", "Operators in strips of rows, nine tenths of their latency divide", "GPUs",
                              {2, 4, 8, 16, 32, 64},
                              [](double x, RandomDagOptions&, int& gpus) { gpus = static_cast<int>(x); }));
  // Hosts of 8 GPUs, and graphs large enough for several: four times HIOS's operators in the same number of layers.
  const auto on_hosts = [](double gb_per_s, double us) {
    const std::string speed = significant(gb_per_s, 4);
    SimulationStudy study =
        varied("hosts_" + speed, "Hosts of 8 GPUs joined by " + speed + " GB/s and " + significant(us, 4) + " us",
               "GPUs", {8, 16, 32, 64}, [](double x, RandomDagOptions& dag, int& gpus) {
                 gpus = static_cast<int>(x);
                 dag.operators = 800;
                 dag.dependencies = 1600;
               });
    study.dags = 10;
    study.algorithms = {"hios-lp", "hios-mr", "heft", "reinsert"};
    for (SimulationStudy::Point& point : study.points) {
      point.topology = Topology(8);
      point.topology.state(LinkKind::network, {.latency_ms = us / 1000, .bytes_per_ms = gb_per_s * kBytesPerMs});
    }
    return study;
  };
  studies.push_back(on_hosts(400, 20));
  studies.push_back(on_hosts(50, 20));
  studies.push_back(on_hosts(12.5, 50));
  return studies;
}

/// A scheduler with options: "heft split=rows".
struct Algorithm {
  std::string scheduler;
  SchedulerOptions options;
};

Algorithm algorithm_of(const std::string& text) {
  std::istringstream words(text);
  Algorithm algorithm;
  words >> algorithm.scheduler;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    algorithm.options[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return algorithm;
}

/// IOS's search is exponential in the width. Parts of 16 operators keep it fast and cost almost nothing here: the
/// makespan is within a percent of the lower bound for one device.
SchedulerOptions options_of(const Algorithm& algorithm, int window) {
  SchedulerOptions options = algorithm.options;
  const std::string width = std::to_string(window);
  if (algorithm.scheduler.starts_with("ios-")) {
    options["max-part-size"] = "16";
    options["s"] = width;
  }
  if (find_scheduler(algorithm.scheduler).options.contains("window")) options["window"] = width;
  return options;
}

/// Rounded to 0.1 us: more digits are meaningless and enlarge the files.
double rounded(double ms) { return std::round(ms * 1e4) / 1e4; }

using Columns = std::map<std::string, std::vector<double>>;

/// The values of one DAG, one column for each line of the study.
void add_dag(std::vector<Columns>& columns, SyntheticCost& cost, const SimulationStudy& study, int gpus, int window,
             const std::function<void(const std::string&)>& progress) {
  double sequential = 0;
  for (OpId op : cost.graph().units()) sequential += cost.operator_ms(op);
  for (std::size_t a = 0; a < study.algorithms.size(); ++a) {
    const Algorithm algorithm = algorithm_of(study.algorithms[a]);
    progress(study.algorithms[a]);
    const int most = find_scheduler(algorithm.scheduler).max_devices;
    const SchedulerRequest request{.cost = cost,
                                   .devices = most == 0 ? gpus : std::min(most, gpus),
                                   .options = options_of(algorithm, window),
                                   .progress = [&](const std::string&) { progress(study.algorithms[a]); }};
    const std::clock_t begin = std::clock();
    const Schedule schedule = make_schedule(algorithm.scheduler, request);
    columns[a]["cpu_ms"].push_back(rounded(1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC));
    columns[a]["makespan_ms"].push_back(rounded(evaluate(*ScheduledCosts(cost, schedule), schedule).makespan));
    columns[a]["sequential_ms"].push_back(rounded(sequential));
  }
  if (!study.bound) return;
  columns.back()["makespan_ms"].push_back(rounded(lower_bounds(cost, gpus).lower()));
  columns.back()["sequential_ms"].push_back(rounded(sequential));
}

/// By Measure: its name in records, and its description in tables.
constexpr std::pair<const char*, const char*> kMeasures[] = {
    {"makespan", "makespan in ms, mean +- half the 95% confidence interval"},
    {"share", "makespan as a fraction of sequential execution, mean +- half the 95% confidence interval"},
    {"time", "processor time to schedule in ms, median"},
    {"gap", "distance from the proved optimum in %, mean +- half the 95% confidence interval"}};

/// Mean of a sample and half its 95% confidence interval (Student's t), 0 for a single value.
struct Band {
  double mean = 0, half = 0;
};

Band confidence_band(const std::vector<double>& sample) {
  if (sample.empty()) throw Error("an empty sample has no mean");
  const double n = static_cast<double>(sample.size());
  double mean = 0, squares = 0;
  for (double value : sample) mean += value / n;
  for (double value : sample) squares += (value - mean) * (value - mean);
  if (sample.size() == 1) return {mean, 0};
  const boost::math::students_t distribution(n - 1);
  return {mean, boost::math::quantile(distribution, 0.975) * std::sqrt(squares / (n - 1) / n)};
}

/// The quantity that a study measures.
std::vector<double> sample_of(const SimulationStudy& study, const records::Record& record,
                              const records::Record* exact) {
  const Columns& series = record.series;
  if (study.measure == Measure::time) return series.at("cpu_ms");
  std::vector<double> values = series.at("makespan_ms");
  if (study.measure == Measure::makespan) return values;
  const bool gap = study.measure == Measure::gap;
  const std::vector<double>& whole =
      gap && exact != nullptr ? exact->series.at("makespan_ms") : series.at("sequential_ms");
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = gap ? 100 * (values[i] / whole[i] - 1) : values[i] / whole[i];
  return values;
}

std::string cell(const SimulationStudy& study, const std::vector<double>& sample) {
  if (study.measure == Measure::time) return fixed(median(sample), 2);
  const int digits = study.measure == Measure::share ? 4 : 2;
  const Band band = confidence_band(sample);
  return fixed(band.mean, digits) + " +-" + fixed(band.half, digits);
}

}  // namespace

const std::vector<SimulationStudy>& simulation_studies() {
  static const std::vector<SimulationStudy> studies = make_studies();
  return studies;
}

std::vector<std::string> SimulationStudy::lines() const {
  std::vector<std::string> all = algorithms;
  if (bound) all.emplace_back("lower-bound");
  return all;
}

records::Record simulation_record(const SimulationStudy& study, const SimulationStudy::Point& point,
                                  const std::string& algorithm) {
  const auto [scheduler, options] = algorithm_of(algorithm);
  return {.what = {.network = "random-dag", .scheduler = scheduler, .gpus = point.gpus, .options = options},
          .quantity = "makespan",
          .labels = {{"study", study.name}, {"x", significant(point.x, 6)}},
          .unit = "ms",
          .texts = {{"title", study.title},
                    {"parameter", study.parameter},
                    {"measure", kMeasures[static_cast<int>(study.measure)].first}},
          .provenance = Provenance::synthetic};
}

void run_simulation(const SimulationStudy& study, const SimulationOptions& options, records::RecordFile& file,
                    bool replace) {
  const int dags = options.dags > 0 ? options.dags : study.dags;
  const auto same_settings = [&](const records::Record& known) {
    return known.number_or("dags", 0) == dags && known.number_or("seed", -1) == static_cast<double>(options.seed) &&
           known.number_or("window", 0) == options.window;
  };
  const auto known = [&](const SimulationStudy::Point& point) {
    return std::ranges::all_of(study.algorithms, [&](const std::string& algorithm) {
      const std::string key = simulation_record(study, point, algorithm).key();
      const records::Record* there = file.records().find(key);
      if (there == nullptr || (replace && file.made(key) == nullptr)) return false;
      if (!same_settings(*there) && !replace)
        throw Error("the records contain the study '" + study.name + "' with other settings (" +
                    file.records().run_of(*there).command + "); use another folder, or replace them with --fresh");
      return same_settings(*there);
    });
  };
  const std::vector<std::string> lines = study.lines();
  for (std::size_t i = 0; i < study.points.size(); ++i) {
    const SimulationStudy::Point& point = study.points[i];
    if (known(point)) continue;
    std::vector<Columns> columns(lines.size());
    for (int dag = 0; dag < dags; ++dag) {
      const auto progress = [&](const std::string& algorithm) {
        if (options.progress)
          options.progress(study.name + ": point " + std::to_string(i + 1) + " of " +
                           std::to_string(study.points.size()) + ", DAG " + std::to_string(dag + 1) + " of " +
                           std::to_string(dags) + ", " + algorithm);
      };
      SyntheticCost cost =
          synthetic_cost(random_dag(point.dag(options.seed * 1'000'000 + static_cast<std::uint64_t>(dag))));
      cost.join(point.topology, kLocalLinkGbs * kBytesPerMs);
      add_dag(columns, cost, study, point.gpus, options.window, progress);
    }
    for (std::size_t a = 0; a < columns.size(); ++a) {
      records::Record record = simulation_record(study, point, lines[a]);
      record.value = confidence_band(columns[a].at("makespan_ms")).mean;
      record.numbers = {
          {"x", point.x}, {"dags", dags}, {"window", options.window}, {"seed", static_cast<double>(options.seed)}};
      record.series = std::move(columns[a]);
      file.add(std::move(record));
    }
  }
}

std::string simulation_table(const SimulationStudy& study, const records::Records& records) {
  const bool of_gpus = study.parameter == "GPUs";  // otherwise the x column is that number
  std::vector<std::string> head = {study.parameter};
  if (!of_gpus) head.emplace_back("GPUs");
  head.insert(head.end(), study.algorithms.begin(), study.algorithms.end());
  TextTable table({Align::right}, std::move(head));
  for (const SimulationStudy::Point& point : study.points) {
    std::vector<std::string> row = {significant(point.x, 6)};
    if (!of_gpus) row.push_back(std::to_string(point.gpus));
    const records::Record* exact = records.find(simulation_record(study, point, "exact").key());
    for (const std::string& algorithm : study.algorithms) {
      const records::Record* record = records.find(simulation_record(study, point, algorithm).key());
      row.push_back(record == nullptr ? "-" : cell(study, sample_of(study, *record, exact)));
    }
    table.add(std::move(row));
  }
  return wrapped(study.title + ": " + kMeasures[static_cast<int>(study.measure)].second) + "\n" + table.text();
}

}  // namespace opsched

#include "experiments/studies/simulation_result.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "experiments/studies/confidence.hpp"

namespace opsched {
namespace {

using Json = nlohmann::ordered_json;

const std::map<std::string, Measure> measures = {
    {"makespan", Measure::makespan}, {"share", Measure::share}, {"time", Measure::time}, {"gap", Measure::gap}};

std::string name_of(Measure measure) {
  for (const auto& [name, value] : measures)
    if (value == measure) return name;
  return {};
}

/// To a tenth of a microsecond: more digits say nothing and fill the files.
Json rounded(const std::vector<double>& values) {
  Json json = Json::array();
  for (double value : values) json.push_back(std::round(value * 1e4) / 1e4);
  return json;
}

std::string text(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

/// The sample that a study is about.
std::vector<double> values_of(const SimulationResult& result, const SimulationPoint& point,
                              const std::string& algorithm) {
  const SimulationSeries& series = point.algorithms.at(algorithm);
  if (result.measure == Measure::time) return series.cpu_ms;
  std::vector<double> values = series.makespan_ms;
  if (result.measure == Measure::makespan) return values;
  const std::vector<double>& whole =
      result.measure == Measure::share ? point.sequential_ms : point.algorithms.at("exact").makespan_ms;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] /= whole[i];
  if (result.measure == Measure::gap)
    for (double& value : values) value = 100 * (value - 1);
  return values;
}

std::string explanation(const SimulationResult& result) {
  switch (result.measure) {
    case Measure::makespan:
      return "Makespan in ms, mean ± half the 95% confidence band";
    case Measure::share:
      return "Makespan as a share of running everything one after another, mean ± half the 95% confidence band";
    case Measure::time:
      return "Processor time to schedule in ms, median";
    case Measure::gap:
      return "Distance from the proved optimum in %, mean ± half the 95% confidence band";
  }
  return {};
}

std::string cell(const SimulationResult& result, const std::vector<double>& values) {
  if (result.measure == Measure::time) return text("%.2f", median(values));
  const char* format = result.measure == Measure::share ? "%.4f" : "%.2f";
  const Band band = confidence_band(values);
  return text(format, band.mean) + " ± " + text(format, band.high - band.mean);
}

std::string table(const SimulationResult& result) {
  const bool with_gpus = result.parameter != "GPUs";
  std::string header = "| " + result.parameter + (with_gpus ? " | GPUs |" : " |"),
              rule = with_gpus ? "|---:|---:|" : "|---:|";
  for (const std::string& algorithm : result.algorithms) {
    header += " " + algorithm + " |";
    rule += "---:|";
  }
  const bool with_bound = result.measure == Measure::makespan || result.measure == Measure::share;
  std::string page = header + (with_bound ? " lower bound |\n" : "\n") + rule + (with_bound ? "---:|\n" : "\n");
  for (const SimulationPoint& point : result.points) {
    page += "| " + text("%g", point.x) + (with_gpus ? " | " + std::to_string(point.gpus) + " |" : " |");
    for (const std::string& algorithm : result.algorithms)
      page += " " + cell(result, values_of(result, point, algorithm)) + " |";
    if (with_bound) {
      std::vector<double> bounds = point.lower_bound_ms;
      if (result.measure == Measure::share)
        for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] /= point.sequential_ms[i];
      page += " " + text(result.measure == Measure::share ? "%.4f" : "%.2f", confidence_band(bounds).mean) + " |";
    }
    page += "\n";
  }
  return page;
}

}  // namespace

std::string simulation_to_json(const SimulationResult& result) {
  Json json = {{"format", "opsched simulation"},
               {"version", 1},
               {"provenance", "synthetic"},
               {"study", result.study},
               {"title", result.title},
               {"parameter", result.parameter},
               {"measure", name_of(result.measure)},
               {"command", result.command},
               {"seed", result.seed},
               {"dags", result.dags},
               {"window", result.window},
               {"algorithms", result.algorithms},
               {"points", Json::array()}};
  for (const SimulationPoint& point : result.points) {
    Json& entry = json["points"].emplace_back(Json{{"x", point.x},
                                                   {"gpus", point.gpus},
                                                   {"sequential_ms", rounded(point.sequential_ms)},
                                                   {"lower_bound_ms", rounded(point.lower_bound_ms)},
                                                   {"algorithms", Json::object()}});
    for (const std::string& name : result.algorithms) {
      const SimulationSeries& series = point.algorithms.at(name);
      entry["algorithms"][name] = {{"makespan_ms", rounded(series.makespan_ms)}, {"cpu_ms", rounded(series.cpu_ms)}};
    }
  }
  return json.dump() + "\n";
}

SimulationResult simulation_from_json(const std::string& text, const std::string& where) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != "opsched simulation" || json.at("version") != 1)
      throw Error(where + ": not a simulation study that this version reads");
    SimulationResult result{.study = json.at("study"),
                            .title = json.at("title"),
                            .parameter = json.at("parameter"),
                            .measure = measures.at(json.at("measure")),
                            .command = json.at("command"),
                            .seed = json.at("seed"),
                            .dags = json.at("dags"),
                            .window = json.at("window"),
                            .algorithms = json.at("algorithms"),
                            .points = {}};
    const auto sample = [&](const Json& values) {
      if (static_cast<int>(values.size()) != result.dags)
        throw Error(where + ": a point with too few or too many DAGs");
      return values.get<std::vector<double>>();
    };
    for (const Json& entry : json.at("points")) {
      SimulationPoint point{.x = entry.at("x"),
                            .gpus = entry.at("gpus"),
                            .sequential_ms = sample(entry.at("sequential_ms")),
                            .lower_bound_ms = sample(entry.at("lower_bound_ms")),
                            .algorithms = {}};
      for (const std::string& name : result.algorithms) {
        const Json& series = entry.at("algorithms").at(name);
        point.algorithms[name] = {sample(series.at("makespan_ms")), sample(series.at("cpu_ms"))};
      }
      result.points.push_back(std::move(point));
    }
    return result;
  } catch (const nlohmann::json::exception& e) {
    throw Error(where + ": " + e.what());
  } catch (const std::out_of_range&) {
    throw Error(where + ": an unknown measure");
  }
}

std::string simulation_to_csv(const SimulationResult& result) {
  std::string csv =
      "study,x,gpus,algorithm,dags,makespan_ms,makespan_low,makespan_high,share_of_sequential,share_low,share_high,"
      "cpu_ms_median,provenance\n";
  for (const SimulationPoint& point : result.points)
    for (const std::string& algorithm : result.algorithms) {
      const SimulationSeries& series = point.algorithms.at(algorithm);
      std::vector<double> shares = series.makespan_ms;
      for (std::size_t i = 0; i < shares.size(); ++i) shares[i] /= point.sequential_ms[i];
      csv += result.study + "," + text("%g", point.x) + "," + std::to_string(point.gpus) + "," + algorithm + "," +
             std::to_string(result.dags);
      for (const std::vector<double>* sample : {&series.makespan_ms, &std::as_const(shares)}) {
        const Band band = confidence_band(*sample);
        for (double value : {band.mean, band.low, band.high}) csv += "," + text("%.6g", value);
      }
      csv += "," + text("%.6g", median(series.cpu_ms)) + ",synthetic\n";
    }
  return csv;
}

std::string simulations_to_markdown(const std::vector<SimulationResult>& results) {
  std::string page =
      "# HIOS's simulations\n\n"
      "Random DAGs with made-up costs (HIOS, CLUSTER 2023, section V); every number here is synthetic, and every\n"
      "makespan is that of the exact evaluation. `opsched simulate` writes this page, and beside it for every study a\n"
      "JSON file with the values of every DAG and a CSV file with means and bands.\n";
  for (const SimulationResult& result : results)
    page += "\n## " + result.title + "\n\n" + explanation(result) + "; " + std::to_string(result.dags) +
            (result.dags == 1 ? " DAG" : " DAGs") + " a point, stages of up to " + std::to_string(result.window) +
            " operators.\n`" + result.command + "`\n\n" + table(result);
  return page;
}

}  // namespace opsched

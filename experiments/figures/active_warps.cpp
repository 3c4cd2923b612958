// IOS, figure "active warps": read from active_warps.json of the results folder, which is measured with
// the GPU's counters.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

using nlohmann::json;

/// {"series": [{"network", "scheduler", "source", "method", "samples": [[ms, active warps on a multiprocessor], ...]}]}
std::vector<Row> read(const std::string& file) {
  if (!std::filesystem::exists(file)) throw Error("not measured yet (opsched warps does it): there is no " + file);
  std::vector<Row> rows;
  try {
    const json contents = json::parse(read_file(file));
    for (const json& series : contents.at("series"))
      for (const json& sample : series.at("samples")) {
        Row row;
        row.result.what.network = series.at("network");
        row.result.what.scheduler = series.at("scheduler");
        row.result.how = "recorded";
        row.source =
            series.at("source").get<std::string>() + ", " + series.at("method").get<std::string>() + " (" + file + ")";
        row.numbers = {{"at_ms", sample.at(0)}, {"active_warps", sample.at(1)}};
        rows.push_back(std::move(row));
      }
  } catch (const json::exception& e) {
    throw Error(file + ": " + e.what());
  }
  return rows;
}

}  // namespace

Figure active_warps_figure() {
  return {.name = "active_warps",
          .title = "Active warps over time, sequential against IOS",
          .paper = "IOS: active warps",
          .items = [](const Place&) {
            return std::vector<Item>{{.key = "active_warps", .what = {}, .seconds = 0, .gather = [](Lab& lab) {
                                        return read(lab.place().results + "/active_warps.json");
                                      }}};
          }};
}

}  // namespace opsched::figures

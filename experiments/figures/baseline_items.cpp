#include "experiments/figures/baseline_items.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched::figures {
namespace {

using nlohmann::json;

std::string source_of(const json& entry, const std::string& file) {
  std::string versions;
  for (const auto& [name, version] : entry.at("versions").items())
    versions += ", " + name + " " + (version.is_string() ? version.get<std::string>() : version.dump());
  return "measured on " + entry.at("device").get<std::string>() + versions + " (" + file + ")";
}

/// Absent or failed ways to run have no number, but a reason: {"absent": "..."} or {"failed": "..."}.
Row row_of(const json& entry, const std::string& mode, const json& latency, const bench::Case& what,
           const std::string& file) {
  Row row;
  row.result.what = what;
  row.labels = {{"peer", entry.at("peer")}, {"mode", mode}};
  row.source = source_of(entry, file);
  for (const char* reason : {"absent", "failed"})
    if (latency.contains(reason)) {
      row.result.skipped =
          row.labels["peer"] + ", " + mode + ": " + reason + ": " + latency.at(reason).get<std::string>();
      return row;
    }
  row.result.ms = latency.at("median_ms");
  row.result.min_ms = latency.value("min_ms", 0.0);
  row.result.max_ms = latency.value("max_ms", 0.0);
  row.result.noise = latency.value("noise", 0.0);
  row.result.runs = latency.value("runs", 0);
  row.result.how = "recorded";
  if (entry.contains("clocks")) {
    row.result.sm_clock_mhz = entry.at("clocks").value("sm_mhz", 0);
    row.result.memory_clock_mhz = entry.at("clocks").value("memory_mhz", 0);
  }
  return row;
}

std::vector<Row> read_peers(const std::string& file, const bench::Case& what) {
  std::vector<Row> rows;
  if (!std::filesystem::exists(file)) throw Error("no peers were measured: there is no " + file);
  std::istringstream lines(read_file(file));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    try {
      const json entry = json::parse(line);
      if (entry.at("graph") != what.network || entry.at("batch") != what.batch ||
          entry.value("image", 0) != what.image || entry.at("precision") != to_string(what.precision))
        continue;
      for (const auto& [mode, latency] : entry.at("latency").items())
        rows.push_back(row_of(entry, mode, latency, what, file));
    } catch (const json::exception& e) {
      throw Error(file + ":" + std::to_string(number) + ": " + e.what());
    }
  }
  if (rows.empty())
    throw Error("no peer was measured on " + what.network + " at batch " + std::to_string(what.batch) + " in " +
                to_string(what.precision) + " (" + file + ")");
  return rows;
}

}  // namespace

Item peer_item(const std::string& network, int batch, Precision precision) {
  const bench::Case what{.network = network, .scheduler = "", .batch = batch, .precision = precision};
  return {.key = "peers/" + network + "/batch:" + std::to_string(batch) + "/" + to_string(precision),
          .what = what,
          .seconds = 0,
          .gather = [what](Lab& lab) { return read_peers(lab.place().results + "/peers.jsonl", what); }};
}

}  // namespace opsched::figures

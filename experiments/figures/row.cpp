#include "experiments/figures/row.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "experiments/records/case_json.hpp"

namespace opsched::figures {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "opsched figure";
constexpr int kVersion = 1;

/// Six digits: more say nothing and fill the files. Whole numbers without a point.
ordered_json number(double value) {
  if (value == std::round(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return scale > 1 ? std::round(value * scale) / scale : std::round(value);
}

/// What a row does not have is left out.
ordered_json to_json(const Row& row) {
  const bench::Result& r = row.result;
  ordered_json json = bench::case_to_json(r.what);
  if (!row.labels.empty()) json["labels"] = row.labels;
  if (!r.skipped.empty()) {
    json["skipped"] = r.skipped;
    return json;
  }
  const auto put = [&](const char* name, double value) {
    if (value != 0) json[name] = number(value);
  };
  put("ms", r.ms);
  put("min_ms", r.min_ms);
  put("max_ms", r.max_ms);
  put("noise", r.noise);
  put("runs", r.runs);
  put("sm_clock_mhz", r.sm_clock_mhz);
  put("memory_clock_mhz", r.memory_clock_mhz);
  if (r.throttled) json["throttled"] = true;
  put("stages", r.stages);
  put("bound_ms", r.bound_ms);
  put("peak_bytes", static_cast<double>(r.peak_bytes));
  put("search_seconds", r.search_seconds);
  if (!r.graph.empty()) json["graph"] = r.graph;
  if (!r.schedule.empty()) json["schedule"] = r.schedule;
  if (!row.numbers.empty()) {
    ordered_json& numbers = json["numbers"] = ordered_json::object();
    for (const auto& [name, value] : row.numbers) numbers[name] = number(value);
  }
  json["how"] = r.how;
  return json;
}

Row row_from_json(const ordered_json& json) {
  Row row;
  bench::Result& r = row.result;
  r.what = bench::case_from_json(json);
  if (json.contains("labels")) json.at("labels").get_to(row.labels);
  r.skipped = json.value("skipped", "");
  if (!r.skipped.empty()) return row;
  r.ms = json.value("ms", 0.0);
  r.min_ms = json.value("min_ms", 0.0);
  r.max_ms = json.value("max_ms", 0.0);
  r.noise = json.value("noise", 0.0);
  r.runs = json.value("runs", 0);
  r.sm_clock_mhz = json.value("sm_clock_mhz", 0);
  r.memory_clock_mhz = json.value("memory_clock_mhz", 0);
  r.throttled = json.value("throttled", false);
  r.stages = json.value("stages", 0);
  r.bound_ms = json.value("bound_ms", 0.0);
  r.peak_bytes = json.value("peak_bytes", std::int64_t{0});
  r.search_seconds = json.value("search_seconds", 0.0);
  r.graph = json.value("graph", "");
  r.schedule = json.value("schedule", "");
  if (json.contains("numbers")) json.at("numbers").get_to(row.numbers);
  json.at("how").get_to(r.how);
  return row;
}

std::string in_quotes(std::string text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
  return '"' + text + '"';
}

/// A JSON value as a cell.
std::string cell(const ordered_json& json, const std::string& name) {
  if (!json.contains(name)) return "";
  const ordered_json& value = json.at(name);
  return in_quotes(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

State state_of(const std::vector<ItemRows>& items) {
  std::map<std::string, int> how;
  int rows = 0, missing = 0;
  std::string why;
  for (const ItemRows& item : items)
    for (const Row& row : item.rows) {
      ++rows;
      if (row.result.skipped.empty()) {
        ++how[row.result.how];
      } else {
        ++missing;
        if (why.empty()) why = row.result.skipped;
      }
    }
  if (missing == rows) return {"not possible", rows == 0 ? "nothing to show" : why};
  State state;
  if (how.contains("simulated"))
    state = {"replayed", std::to_string(how["simulated"]) + " of " + std::to_string(rows) + " rows simulated"};
  else
    for (const char* word : {"measured", "recorded", "synthetic", "exact"})
      if (state.word.empty() && how.contains(word)) state.word = word;
  if (missing == 0) return state;
  if (!state.why.empty()) state.why += "; ";
  state.why += std::to_string(missing) + " of " + std::to_string(rows) + " rows missing: " + why;
  return state;
}

std::string to_line(const ItemRows& item) {
  ordered_json rows = ordered_json::array();
  for (const Row& row : item.rows) {
    rows.push_back(to_json(row));
    rows.back()["source"] = row.source;
  }
  return ordered_json{{"item", item.item}, {"rows", rows}}.dump();
}

ItemRows item_from_line(const std::string& line, const std::string& where) {
  try {
    const ordered_json json = ordered_json::parse(line);
    ItemRows item{.item = json.at("item"), .rows = {}};
    for (const ordered_json& entry : json.at("rows")) {
      item.rows.push_back(row_from_json(entry));
      entry.at("source").get_to(item.rows.back().source);
    }
    return item;
  } catch (const ordered_json::exception& e) {
    throw Error(where + ": " + e.what());
  }
}

std::string to_json(const FigureData& data) {
  const State state = state_of(data.items);
  std::vector<std::string> sources;
  std::string rows;
  for (const ItemRows& item : data.items)
    for (const Row& row : item.rows) {
      ordered_json json = {{"item", item.item}};
      json.update(to_json(row));
      if (!row.source.empty()) {
        const auto known = std::ranges::find(sources, row.source);
        json["source"] = known - sources.begin();
        if (known == sources.end()) sources.push_back(row.source);
      }
      rows += (rows.empty() ? "\n  " : ",\n  ") + json.dump();
    }
  const ordered_json head = {{"format", kFormat},   {"version", kVersion},     {"figure", data.figure},
                             {"title", data.title}, {"paper", data.paper},     {"state", state.word},
                             {"why", state.why},    {"command", data.command}, {"seed", data.seed},
                             {"sources", sources}};
  std::string text = head.dump(1);
  text.resize(text.size() - 2);  // its closing "\n}"
  return text + ",\n \"rows\": [" + rows + "\n ]\n}\n";
}

FigureData figure_from_json(const std::string& text, const std::string& file) {
  try {
    const ordered_json json = ordered_json::parse(text);
    if (json.at("format") != kFormat) throw Error("'" + file + "' is not a figure of this program");
    if (json.at("version") != kVersion)
      throw Error("'" + file + "' is of version " + json.at("version").dump() + ", this program reads version " +
                  std::to_string(kVersion) + "; --fresh makes it anew");
    FigureData data{.figure = json.at("figure"),
                    .title = json.at("title"),
                    .paper = json.at("paper"),
                    .command = json.at("command"),
                    .seed = json.at("seed"),
                    .items = {}};
    const std::vector<std::string> sources = json.at("sources");
    for (const ordered_json& entry : json.at("rows")) {
      const std::string item = entry.at("item");
      if (data.items.empty() || data.items.back().item != item) data.items.push_back({.item = item, .rows = {}});
      Row row = row_from_json(entry);
      if (entry.contains("source")) row.source = sources.at(entry.at("source").get<std::size_t>());
      data.items.back().rows.push_back(std::move(row));
    }
    return data;
  } catch (const ordered_json::exception& e) {
    throw Error("'" + file + "' is not a figure of this program (" + e.what() + "); --fresh makes it anew");
  } catch (const std::out_of_range&) {
    throw Error("'" + file + "' names a source that it does not have; --fresh makes it anew");
  }
}

std::string to_csv(const FigureData& data) {
  static const std::vector<std::string> fixed = {
      "network",    "scheduler",     "batch", "image",        "precision",        "gpus",      "ms",     "min_ms",
      "max_ms",     "noise",         "runs",  "sm_clock_mhz", "memory_clock_mhz", "throttled", "stages", "bound_ms",
      "peak_bytes", "search_seconds"};
  std::set<std::string> labels, numbers;
  for (const ItemRows& item : data.items)
    for (const Row& row : item.rows) {
      for (const auto& [name, value] : row.labels) labels.insert(name);
      for (const auto& [name, value] : row.numbers) numbers.insert(name);
    }
  std::string csv = "figure";
  for (const auto* names : {&labels})
    for (const std::string& name : *names) csv += "," + name;
  for (const std::string& name : fixed) csv += "," + name;
  for (const std::string& name : numbers) csv += "," + name;
  csv += ",how,skipped,source\n";
  for (const ItemRows& item : data.items)
    for (const Row& row : item.rows) {
      const ordered_json json = to_json(row);
      csv += data.figure;
      for (const std::string& name : labels) csv += "," + cell(json.value("labels", ordered_json::object()), name);
      for (const std::string& name : fixed) csv += "," + cell(json, name);
      for (const std::string& name : numbers) csv += "," + cell(json.value("numbers", ordered_json::object()), name);
      csv += "," + cell(json, "how") + "," + cell(json, "skipped") + "," + in_quotes(row.source) + "\n";
    }
  return csv;
}

}  // namespace opsched::figures

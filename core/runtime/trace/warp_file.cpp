#include "core/runtime/trace/warp_file.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "opsched active warps";
constexpr int kVersion = 1;

ordered_json key_of(const WarpSeries& s) {
  return {{"graph", s.graph}, {"batch", s.batch}, {"precision", s.precision}, {"schedule", s.schedule}};
}

bool same(const ordered_json& entry, const WarpSeries& s) {
  const ordered_json key = key_of(s);
  return std::ranges::all_of(key.items(), [&](const auto& field) { return entry.at(field.key()) == field.value(); });
}

ordered_json load(const std::string& path) {
  if (!std::filesystem::exists(path)) return {{"series", ordered_json::array()}, {"rows", ordered_json::array()}};
  try {
    ordered_json file = ordered_json::parse(read_file(path));
    if (file.at("format") != kFormat || file.at("version") != kVersion) throw Error("another format or version");
    return file;
  } catch (const ordered_json::exception& e) {
    throw Error("'" + path + "' holds no active warps of this program (" + e.what() + "); move it away");
  } catch (const Error& e) {
    throw Error("'" + path + "' holds no active warps of this program (" + e.what() + "); move it away");
  }
}

std::string lines(const ordered_json& list) {
  std::string text;
  for (const ordered_json& entry : list) text += (text.empty() ? "\n  " : ",\n  ") + entry.dump();
  return "[" + text + "\n ]";
}

}  // namespace

std::string add_warps(const std::string& folder, const std::vector<WarpSeries>& added) {
  const std::string path = (std::filesystem::path(folder) / "figures" / "active_warps.json").string();
  const ordered_json old = load(path);
  ordered_json series = ordered_json::array(), rows = ordered_json::array();
  const auto keep = [&](const ordered_json& entries, ordered_json& kept) {
    for (const ordered_json& entry : entries)
      if (std::ranges::none_of(added, [&](const WarpSeries& s) { return same(entry, s); })) kept.push_back(entry);
  };
  try {
    keep(old.at("series"), series);
    keep(old.at("rows"), rows);
  } catch (const ordered_json::exception& e) {
    throw Error("'" + path + "' is damaged (" + e.what() + "); move it away");
  }
  for (const WarpSeries& s : added) {
    ordered_json entry = key_of(s);
    entry.update({{"makespan_ms", s.makespan_ms},
                  {"mean_warps_per_sm", s.mean_warps_per_sm},
                  {"multiprocessors", s.multiprocessors},
                  {"max_warps_per_sm", s.max_warps_per_sm},
                  {"method", s.method},
                  {"source", s.source},
                  {"command", s.command}});
    series.push_back(std::move(entry));
    for (const WarpSample& sample : s.samples) {
      ordered_json row = key_of(s);
      row["t_ms"] = sample.t_ms;
      row["warps_per_sm"] = sample.warps_per_sm;
      rows.push_back(std::move(row));
    }
  }
  write_file_atomically(path, "{\n \"format\": \"" + std::string(kFormat) +
                                  "\",\n \"version\": " + std::to_string(kVersion) +
                                  ",\n \"series\": " + lines(series) + ",\n \"rows\": " + lines(rows) + "\n}\n");
  return path;
}

}  // namespace opsched

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

ordered_json to_json(const WarpSeries& s) {
  ordered_json samples = ordered_json::array();
  for (const WarpSample& sample : s.samples) samples.push_back({sample.t_ms, sample.warps_per_sm});
  return {{"network", s.network},
          {"scheduler", s.scheduler},
          {"precision", s.precision},
          {"batch", s.batch},
          {"makespan_ms", s.makespan_ms},
          {"mean_warps_per_sm", s.mean_warps_per_sm},
          {"multiprocessors", s.multiprocessors},
          {"max_warps_per_sm", s.max_warps_per_sm},
          {"method", s.method},
          {"source", s.source},
          {"command", s.command},
          {"samples", std::move(samples)}};
}

/// The series of an earlier file that are not among `added`.
ordered_json kept_series(const std::string& path, const std::vector<WarpSeries>& added) {
  ordered_json kept = ordered_json::array();
  if (!std::filesystem::exists(path)) return kept;
  const auto refuse = [&](const std::string& why) {
    throw Error("'" + path + "' holds no active warps of this program (" + why + "); move it away");
  };
  try {
    const ordered_json file = ordered_json::parse(read_file(path));
    if (file.value("format", "") != kFormat || file.value("version", 0) != kVersion)
      refuse("another format or version");
    for (const ordered_json& old : file.at("series"))
      if (std::ranges::none_of(added, [&](const WarpSeries& s) {
            return old.at("network") == s.network && old.at("scheduler") == s.scheduler;
          }))
        kept.push_back(old);
  } catch (const ordered_json::exception& e) {
    refuse(e.what());
  }
  return kept;
}

}  // namespace

std::string add_warps(const std::string& folder, const std::vector<WarpSeries>& added) {
  std::string path = (std::filesystem::path(folder) / "active_warps.json").string();
  ordered_json series = kept_series(path, added);
  for (const WarpSeries& s : added) series.push_back(to_json(s));
  const ordered_json head = {
      {"format", kFormat}, {"version", kVersion}, {"source", added.empty() ? "" : added.back().source}};
  std::string text = head.dump();
  text.back() = ',';
  text += "\n\"series\": [";
  const char* separator = "\n";
  for (const ordered_json& s : series) {
    text += separator + s.dump();
    separator = ",\n";
  }
  write_file_atomically(path, text + "\n]}\n");
  return path;
}

}  // namespace opsched

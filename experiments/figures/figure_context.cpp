#include "experiments/figures/figure_context.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/error.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;

/// "h200-x4" -> {"h200", 4}; a name without a number: 1.
std::pair<std::string, int> split_name(const std::string& name) {
  const std::size_t at = name.rfind("-x");
  if (at == std::string::npos) return {name, 1};
  int gpus = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + at + 2, end, gpus);
  return error == std::errc{} && stop == end && gpus > 0 ? std::pair{name.substr(0, at), gpus} : std::pair{name, 1};
}

}  // namespace

std::vector<std::pair<int, std::string>> sibling_folders(const Place& place) {
  const fs::path own = fs::path(place.results).lexically_normal();
  const std::string base = split_name(own.filename().string()).first;
  const fs::path parent = own.has_parent_path() ? own.parent_path() : ".";
  std::vector<std::pair<int, std::string>> folders;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, none)) {
    const auto [name, gpus] = split_name(entry.path().filename().string());
    if (name == base && entry.is_directory()) folders.emplace_back(gpus, (parent / entry.path().filename()).string());
  }
  std::ranges::sort(folders);
  return folders;
}

Lab::Lab(Device& device, const bench::ScheduleStore& store, MeasureOptions options, Place place, Report report)
    : device_(device), place_(std::move(place)), report_(std::move(report)), runner_(device, store, options, report_) {
  for (const auto& [gpus, folder] : sibling_folders(place_)) {
    const bench::Contents contents = bench::ResultsFile::load(folder);
    for (const bench::Result& result : contents.results) {
      if (!result.skipped.empty()) continue;
      Row row{
          .result = result, .labels = {}, .numbers = {}, .source = contents.origin + " (" + folder + "/bench.json)"};
      if (row.result.how == "measured") row.result.how = "recorded";
      recorded_.emplace_back(gpus, std::move(row));
    }
  }
}

const Row* Lab::recorded(const bench::Case& what) const {
  const bool any = !here(what);
  const auto it = std::ranges::find_if(recorded_, [&](const auto& known) {
    const Row& row = known.second;
    return row.result.what == what && (any || (!place_.fresh && row.source.starts_with(device_.describe() + " (")));
  });
  return it == recorded_.end() ? nullptr : &it->second;
}

const Row* Lab::beside(int gpus, const bench::Case& what) const {
  const auto it = std::ranges::find_if(
      recorded_, [&](const auto& known) { return known.first == gpus && known.second.result.what == what; });
  return it == recorded_.end() ? nullptr : &it->second;
}

Row Lab::row(bench::Result result) const {
  return {.result = std::move(result), .labels = {}, .numbers = {}, .source = device_.describe()};
}

Row Lab::latency(const bench::Case& what, const SchedulerOptions& options) {
  if (options.empty())
    if (const Row* known = recorded(what)) return *known;
  Row found = row(runner_.time(what, runner_.find(what, options)));
  // Of a replay, the time says nothing about a search that measures.
  if (!here(what)) found.result.search_seconds = 0;
  return found;
}

Row Lab::measured_latency(const bench::Case& what) {
  if (here(what)) return latency(what);
  if (const Row* known = recorded(what)) return *known;
  throw Error("not measured yet: opsched reproduce needs " + std::to_string(what.gpus) +
              (what.gpus == 1 ? " GPU" : " GPUs of one host (--gpus " + std::to_string(what.gpus) + ")") +
              ", or bench.json in " + place_.results + (what.gpus == 1 ? "" : "-x" + std::to_string(what.gpus)));
}

}  // namespace opsched::figures

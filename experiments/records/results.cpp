#include "experiments/records/results.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/cost/profile/journal.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/records/case_json.hpp"

namespace opsched::bench {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "opsched benchmark";
constexpr int kVersion = 1;

ordered_json to_json(const Result& r) {
  ordered_json json = {{"name", r.what.name()}};
  json.update(case_to_json(r.what));
  if (!r.skipped.empty()) {
    json["skipped"] = r.skipped;
    return json;
  }
  json.update({{"ms", r.ms},
               {"min_ms", r.min_ms},
               {"max_ms", r.max_ms},
               {"noise", r.noise},
               {"runs", r.runs},
               {"how", r.how},
               {"sm_clock_mhz", r.sm_clock_mhz},
               {"memory_clock_mhz", r.memory_clock_mhz},
               {"throttled", r.throttled},
               {"stages", r.stages},
               {"bound_ms", r.bound_ms},
               {"predicted_ms", r.predicted_ms},
               {"peak_bytes", r.peak_bytes},
               {"transfer_bytes", r.transfer_bytes},
               {"search_seconds", r.search_seconds},
               {"graph", r.graph},
               {"schedule", r.schedule}});
  return json;
}

Result from_json(const ordered_json& json) {
  Result r;
  r.what = case_from_json(json);
  r.skipped = json.value("skipped", "");
  if (!r.skipped.empty()) return r;
  json.at("ms").get_to(r.ms);
  json.at("min_ms").get_to(r.min_ms);
  json.at("max_ms").get_to(r.max_ms);
  json.at("noise").get_to(r.noise);
  json.at("runs").get_to(r.runs);
  json.at("how").get_to(r.how);
  json.at("sm_clock_mhz").get_to(r.sm_clock_mhz);
  json.at("memory_clock_mhz").get_to(r.memory_clock_mhz);
  json.at("throttled").get_to(r.throttled);
  json.at("stages").get_to(r.stages);
  json.at("bound_ms").get_to(r.bound_ms);
  r.predicted_ms = json.value("predicted_ms", 0.0);  // absent in older files, as transfer_bytes
  json.at("peak_bytes").get_to(r.peak_bytes);
  r.transfer_bytes = json.value("transfer_bytes", std::int64_t{0});
  json.at("search_seconds").get_to(r.search_seconds);
  json.at("graph").get_to(r.graph);
  json.at("schedule").get_to(r.schedule);
  return r;
}

/// Of the runs of one case the one with the middle latency; a run that was skipped only if all were.
Result middle(std::vector<Result> runs) {
  if (std::ranges::any_of(runs, [](const Result& r) { return r.skipped.empty(); }))
    std::erase_if(runs, [](const Result& r) { return !r.skipped.empty(); });
  const auto half = runs.begin() + static_cast<std::ptrdiff_t>((runs.size() - 1) / 2);
  std::ranges::nth_element(runs, half, {}, &Result::ms);
  return *half;
}

/// A schedule that was found later takes the place of those before it.
void drop_superseded(std::vector<Result>& runs) {
  std::vector<Result> kept;
  for (auto run = runs.begin(); run != runs.end(); ++run) {
    const auto supersedes = [&](const Result& later) {
      return later.what == run->what && later.skipped.empty() && later.schedule != run->schedule;
    };
    if (std::none_of(run + 1, runs.end(), supersedes)) kept.push_back(*run);
  }
  runs = std::move(kept);
}

std::string file_of(const std::string& folder) { return (std::filesystem::path(folder) / "bench.json").string(); }

/// What a file holds; runs `parse` with words about the file for what goes wrong.
template <class Parse>
auto reading(const std::string& path, Parse parse) {
  try {
    return parse();
  } catch (const ordered_json::exception& e) {
    throw Error("'" + path + "' is not a results file of this program (" + e.what() + "); give another --out folder");
  }
}

Contents load_file(const std::string& folder) {
  const std::string path = file_of(folder);
  if (!std::filesystem::exists(path)) return {};
  return reading(path, [&] {
    const ordered_json json = ordered_json::parse(read_file(path));
    if (json.at("format") != kFormat) throw Error("'" + path + "' is not a results file of this program");
    if (json.at("version") != kVersion)
      throw Error("'" + path + "' is of version " + json.at("version").dump() + ", this program reads version " +
                  std::to_string(kVersion));
    Contents contents{.origin = json.at("origin"), .results = {}};
    for (const ordered_json& line : json.at("results")) contents.results.push_back(from_json(line));
    return contents;
  });
}

}  // namespace

struct ResultsFile::Impl {
  Impl(std::string folder_, std::string origin_)
      : folder(std::move(folder_)), origin(std::move(origin_)), journal(file_of(folder) + ".journal") {}
  std::string folder, origin;
  LineJournal journal;
  std::vector<Result> added;
};

ResultsFile::ResultsFile(const std::string& folder, const std::string& origin, bool fresh)
    : impl_(std::make_unique<Impl>(folder, origin)) {
  // A file that cannot be merged into is found before the work, not after it.
  if (const Contents old = load_file(folder); old.origin != origin) replaced_ = static_cast<int>(old.results.size());
  LineJournal& journal = impl_->journal;
  if (!fresh && !journal.empty()) {
    std::istringstream lines(read_file(journal.path()));
    std::string line;
    std::getline(lines, line);
    reading(journal.path(), [&] {
      if (ordered_json::parse(line).at("origin") != origin) return;
      while (std::getline(lines, line)) resumed_.push_back(from_json(ordered_json::parse(line)));
    });
    drop_superseded(resumed_);
  }
  if (resumed_.empty()) {
    journal.clear();
    journal.append(ordered_json{{"origin", origin}}.dump());
  }
  impl_->added = resumed_;
}

ResultsFile::~ResultsFile() {
  if (impl_->added.empty()) impl_->journal.clear();
}

void ResultsFile::add(const Result& result) {
  impl_->journal.append(to_json(result).dump());
  impl_->added.push_back(result);
}

std::vector<Result> ResultsFile::merged() const {
  Contents contents = load_file(impl_->folder);
  if (contents.origin != impl_->origin) contents.results.clear();  // numbers of another device or version
  std::vector<Result>& merged = contents.results;
  std::vector<Result> added = impl_->added;
  drop_superseded(added);
  while (!added.empty()) {
    const Case what = added.front().what;
    std::vector<Result> runs;
    std::ranges::copy_if(added, std::back_inserter(runs), [&](const Result& r) { return r.what == what; });
    std::erase_if(added, [&](const Result& r) { return r.what == what; });
    const auto old = std::ranges::find(merged, what, &Result::what);
    if (old == merged.end())
      merged.push_back(middle(std::move(runs)));
    else
      *old = middle(std::move(runs));
  }
  return merged;
}

void ResultsFile::finish() {
  const std::vector<Result> results = merged();
  ordered_json head = {{"format", kFormat}, {"version", kVersion}, {"origin", impl_->origin}};
  std::string text = head.dump(1);
  text.resize(text.size() - 2);  // its closing "\n}"
  text += ",\n \"results\": [";
  for (const Result& result : results) text += (&result == results.data() ? "\n  " : ",\n  ") + to_json(result).dump();
  write_file_atomically(file_of(impl_->folder), text + "\n ]\n}\n");
  impl_->journal.clear();
  impl_->added.clear();
}

Contents ResultsFile::load(const std::string& folder) { return load_file(folder); }

}  // namespace opsched::bench

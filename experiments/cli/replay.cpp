// opsched replay: checks that searches on a recorded profile find the schedules that were found while it was measured.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "core/cost/profile/profile.hpp"
#include "experiments/bench/replays.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/records/records.hpp"

namespace opsched::cli {
namespace {

using records::Record;

struct ReplayOptions {
  std::string folder;
  std::vector<std::string> networks, schedulers;

  void add_to(CLI::App& app) {
    app.add_option("FOLDER", folder, "Folder with records.jsonl and profiles")->required();
    app.add_option("--network", networks, "Only these")->delimiter(',');
    app.add_option("--scheduler", schedulers, "Only these")->delimiter(',');
  }
};

bool chosen(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

std::vector<bench::Timed> replay_all(const std::string& folder, const std::vector<const Record*>& results,
                                     StatusLine& status) {
  std::vector<bench::Case> cases;
  for (const Record* result : results) cases.push_back(result->what);
  Countdown countdown;
  const auto report = [&](const bench::ReplayProgress& now) {
    check_interrupt();
    status.show(countdown.text(now.done, now.total) + now.text);
  };
  return bench::replay_cases(folder, cases, {.report = report});
}

/// Recorded latencies whose schedules a search found, for the chosen networks and schedulers.
std::vector<const Record*> chosen_results(const records::Records& records, const ReplayOptions& options) {
  std::vector<const Record*> results = records.standing();
  std::erase_if(results, [&](const Record* r) {
    return r->quantity != "latency" || !r->labels.empty() || !r->missing.empty() || r->what.software != "opsched" ||
           r->schedule.empty() || !chosen(options.networks, r->what.network) ||
           !chosen(options.schedulers, r->what.scheduler);
  });
  std::ranges::stable_sort(results, {}, [](const Record* r) { return r->what.neighbourhood(); });
  return results;
}

/// Removes schedules that were not measured into the folder's profile, which also holds every schedule measured into
/// it. Returns how many.
std::size_t leave_out_unprofiled(std::vector<const Record*>& results, const std::string& folder) {
  std::map<Precision, std::optional<Profile>> profiles;
  return std::erase_if(results, [&](const Record* result) {
    const Precision precision = result->what.precision;
    const auto [at, is_new] = profiles.try_emplace(precision);
    if (is_new && has_profile(folder, precision)) at->second = Profile::load(profile_file(folder, precision));
    return !at->second || at->second->find_schedule(result->graph, result->schedule) == nullptr;
  });
}

void replay(const ReplayOptions& options) {
  StatusLine status;
  if (!std::filesystem::is_directory(options.folder)) throw Error("there is no folder '" + options.folder + "'");
  const records::Records records = records::Records::read(options.folder);
  for (const std::string& warning : records.warnings()) warn(warning);
  std::vector<const Record*> results = chosen_results(records, options);
  if (results.empty()) throw Error("'" + options.folder + "' has no records of these networks and schedulers");
  const std::string origin = open_recorded({.kind = "sim", .profile = options.folder})->describe();
  const std::size_t left_out = leave_out_unprofiled(results, options.folder);
  const std::vector<bench::Timed> replays = replay_all(options.folder, results, status);
  int different = 0;
  TextTable table({Align::left, Align::right, Align::left, Align::right},
                  {"recorded", "ms", "replay finds", "ms", "from", "search, s"});
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Record &recorded = *results[i], &found = replays[i].record;
    if (!found.missing.empty()) throw Error(recorded.what.name() + ": " + found.missing);
    const bool same = found.schedule == recorded.schedule;
    different += !same;
    table.add({recorded.what.name(), fixed(*recorded.value, 4), same ? "same" : "another", fixed(*found.value, 4),
               to_string(found.provenance), fixed(found.number_or("search_seconds", 0), 2)});
  }
  status.clear();
  std::cout << wrapped(origin, "  ") << "\n";
  std::cout << table.text();
  std::cout << results.size() - static_cast<std::size_t>(different) << " of " << results.size()
            << " schedules are the same\n";
  if (left_out > 0)
    std::cout << "Not replayed: " << counted(left_out, "schedule") << " measured into a profile outside this folder\n";
  if (different > 0)
    throw Error("replays find " + counted(different, "other schedule") +
                " than recorded, because the profile has grown or the program has changed. "
                "The records are still valid, because each stores its schedule. `opsched bench --profile " +
                options.folder + " --out " + options.folder + "` on the GPU measures the schedules that are found now");
}

}  // namespace

Command replay_command() {
  return {.name = "replay",
          .summary = "Check whether searches on a recorded profile still find the recorded schedules",
          .examples =
              "  opsched replay results/h200                            every record, some minutes\n"
              "  opsched replay results/h200 --scheduler ios-both       records of one scheduler\n"
              "Every record stores the schedule that ran. This command repeats the searches and compares.",
          .setup = setup_of(replay)};
}

}  // namespace opsched::cli

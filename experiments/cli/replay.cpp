// opsched replay: do searches on a recorded profile find what was found while it was measured?
#include <algorithm>
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "experiments/bench/replays.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/status_line.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/results.hpp"

namespace opsched::cli {
namespace {

struct Options {
  std::string folder;
  std::vector<std::string> networks, schedulers;
};

bool chosen(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

std::vector<bench::Replay> replay_all(const std::string& folder, const std::vector<bench::Result>& results,
                                      StatusLine& status) {
  std::vector<bench::Case> cases;
  for (const bench::Result& result : results) cases.push_back(result.what);
  const Countdown countdown;
  const auto report = [&](const bench::ReplayProgress& now) {
    check_interrupt();
    status.show(countdown.text(now.done, now.total) + now.text);
  };
  return bench::replay_cases(folder, cases, {.report = report});
}

void replay(const Options& options) {
  StatusLine status;
  std::vector<bench::Result> results = bench::ResultsFile::load(options.folder).results;
  std::erase_if(results, [&](const bench::Result& r) {
    return !r.skipped.empty() || !chosen(options.networks, r.what.network) ||
           !chosen(options.schedulers, r.what.scheduler);
  });
  if (results.empty()) throw Error("'" + options.folder + "' has no results of these networks and schedulers");
  std::ranges::stable_sort(results, {}, [](const bench::Result& r) { return r.what.neighbourhood(); });
  const std::string origin = open_recorded({.kind = "sim", .profile = options.folder, .report = {}})->describe();
  const std::vector<bench::Replay> replays = replay_all(options.folder, results, status);
  int different = 0;
  TextTable table({Align::left, Align::right, Align::left, Align::right});
  table.add({"measured as", "ms", "replay finds", "ms", "from", "search, s"});
  table.add_rule();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bench::Result &recorded = results[i], &found = replays[i].result;
    if (!found.skipped.empty()) throw Error(recorded.what.name() + ": " + found.skipped);
    const bool same = found.schedule == recorded.schedule;
    different += !same;
    table.add({recorded.what.name(), fixed(recorded.ms, 4), same ? "the same" : "ANOTHER", fixed(found.ms, 4),
               found.how, fixed(found.search_seconds, 2)});
  }
  status.clear();
  std::cout << origin << "\n";
  table.print(std::cout);
  std::cout << results.size() - different << " of " << results.size() << " schedules are the same\n";
  if (different > 0)
    throw Error(std::to_string(different) +
                " schedules are not those that were measured: the profile has grown since, or the program has changed; "
                "any `opsched bench --profile " +
                options.folder + " --out " + options.folder + "` on the GPU settles them");
}

}  // namespace

Command replay_command() {
  return {.name = "replay",
          .summary = "Whether searches on a recorded profile find the schedules that were measured with it",
          .examples =
              "  opsched replay results/h200                            every result\n"
              "  opsched replay results/h200 --scheduler ios-both       one scheduler's\n"
              "`opsched bench --out` on a GPU leaves results of which this is so (see its --no-settle).",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<Options>();
            app.add_option("FOLDER", options->folder, "Folder with bench.json and its profiles")->required();
            app.add_option("--network", options->networks, "Only these")->delimiter(',');
            app.add_option("--scheduler", options->schedulers, "Only these")->delimiter(',');
            return [options] { replay(*options); };
          }};
}

}  // namespace opsched::cli

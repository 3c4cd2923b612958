// opsched fit: how well the simulator predicts what was measured.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>

#include "core/error.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/console/status_line.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/studies/accuracy.hpp"
#include "networks/network.hpp"

namespace opsched::cli {
namespace {

struct FitOptions {
  std::string folder, precision;
  RecordOptions records;
  bool save = false;

  void add_to(CLI::App& app) {
    app.add_option("--profile", folder, "Folder of the profiles (default: the first of results/)");
    app.add_option("--precision", precision, "fp32, tf32 or fp16 (default: all)");
    app.add_flag("--save", save, "Store the calibration in the profiles");
    records.add_to(app);
  }
};

/// nullptr where it is of no network.
std::shared_ptr<const Graph> graph_of(const ScheduleOrigin& origin) {
  if (std::ranges::find(networks(), origin.network, &NetworkInfo::name) == networks().end()) return nullptr;
  return std::make_shared<const Graph>(make_network(origin.network, {.batch = origin.batch, .image = origin.image}));
}

/// "5.9%  15.4%  0.98  (1869)"
std::vector<std::string> cells(const ErrorStats& s) {
  if (s.count == 0) return {"-", "-", "-", "0"};
  return {fixed(100 * s.median, 1) + "%", fixed(100 * s.p90, 1) + "%", fixed(s.rank, 3), std::to_string(s.count)};
}

void print(const ProfileAccuracy& p) {
  const FitReport& fit = p.accuracy.fit;
  std::cout << p.file << ": " << p.stages << " stages, " << p.schedules << " schedules measured on " << p.device.name
            << "\n";
  TextTable table({Align::left, Align::right});
  table.add({"left out of the fit", "median", "90% below", "rank", "count", "pairs in order"});
  table.add_rule();
  const auto add = [&](const std::string& name, const ErrorStats& stats, const OrderedPairs& pairs = {}) {
    std::vector<std::string> row{name};
    std::ranges::copy(cells(stats), std::back_inserter(row));
    row.push_back(pairs.all == 0 ? "-" : std::to_string(pairs.right) + " of " + std::to_string(pairs.all));
    table.add(std::move(row));
  };
  add("operators", fit.solo);
  add("concurrent stages", fit.concurrent);
  add("merge stages", fit.merge);
  for (const NetworkAccuracy& n : p.accuracy.networks) {
    table.add_rule();
    add(n.network + ": stages", n.stages);
    add(n.network + ": schedules, stages replayed", n.replayed, n.replayed_pairs);
    add(n.network + ": schedules, stages left out", n.unseen, n.unseen_pairs);
  }
  table.print(std::cout);
  std::cout << "\n" << std::flush;
}

void fit(const FitOptions& options) {
  std::string folder = options.folder;
  if (folder.empty()) {
    const std::vector<std::string> known = recorded_folders();
    if (known.empty()) throw Error("no folder of results/ holds a profile; give one with --profile FOLDER");
    folder = known.front();
  }
  if (!has_profile(folder)) throw Error("'" + folder + "' holds no profile");
  std::vector<Precision> precisions;
  if (!options.precision.empty())
    precisions.push_back(parse_precision(options.precision));
  else
    for (Precision precision : kPrecisions)
      if (has_profile(folder, precision)) precisions.push_back(precision);
  StatusLine status;
  std::vector<ProfileAccuracy> results;
  for (Precision precision : precisions) {
    const std::string file = profile_file(folder, precision);
    Profile profile = Profile::load(file);
    if (options.save) profile = Profile::open(file, profile.device(), precision);  // nobody else writes it meanwhile
    std::map<std::string, std::shared_ptr<const Graph>> graphs;                    // a graph for each network and batch
    const auto cases = recorded_cases(profile, [&](const ScheduleOrigin& origin) {
      check_interrupt();
      std::shared_ptr<const Graph> graph = graph_of(origin);
      return graph ? graphs.try_emplace(fingerprint(*graph), graph).first->second : nullptr;
    });
    const auto show = interruptible(status);
    results.push_back({.file = std::filesystem::path(file).filename().string(),
                       .device = profile.device(),
                       .precision = precision,
                       .stages = static_cast<int>(profile.stages().size()),
                       .schedules = static_cast<int>(profile.schedules().size()),
                       .accuracy = measure_accuracy(profile, cases, [&](const std::string& what) {
                         show(to_string(precision) + ": " + what);
                       })});
    status.clear();
    print(results.back());
    if (!options.save) continue;
    calibrate(profile, ContentionModel::fit(profile), cases);
    profile.save(file);
  }
  if (results.empty()) return;
  const std::unique_ptr<records::RecordFile> file =
      options.records.open(run_of(results.front().device, command_line()));
  if (!file) return;
  for (const ProfileAccuracy& result : results)
    for (records::Record& record : accuracy_records(result)) file->add(std::move(record));
  file->finish();
}

}  // namespace

Command fit_command() {
  return {.name = "fit",
          .summary = "How well the simulator predicts the stages and schedules that were measured",
          .examples =
              "  opsched fit                                  the recorded results\n"
              "  opsched fit --profile results/mygpu --save   keep the calibration, for replays\n"
              "  opsched fit --profile results/mygpu --out results/mygpu   kept in its records.jsonl\n"
              "Every stage and every scheduler is left out of the fit once, and predicted by what was fitted to the\n"
              "others. 'Stages replayed': the latencies of single stages come from the profile where it holds them,\n"
              "as in replays; 'stages left out': nothing of that scheduler was used. Pairs: schedules of one network\n"
              "that were measured more than 2% apart, and whose order was predicted.",
          .setup = setup_of(fit)};
}

}  // namespace opsched::cli

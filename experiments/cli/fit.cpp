// opsched fit: compares the simulator's predictions with measurements.
#include <algorithm>
#include <filesystem>
#include <iterator>

#include "core/graph/files/graph_io.hpp"
#include "core/runtime/sim/accuracy.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

struct FitOptions {
  std::string folder, precision;
  std::vector<std::string> graphs;
  RecordOptions records;
  bool save = false;

  void add_to(CLI::App& app) {
    app.add_option("--profile", folder, "Folder with the profiles (default: the first in results/)");
    app.add_option("--precision", precision, names_of(kPrecisions) + " (default: all that the folder has)");
    app.add_option("--graph", graphs, kGraphsHelp)->delimiter(',');
    app.add_flag("--save", save, "Store the calibration in the profiles");
    records.add_to(app);
  }
};

/// Accuracy of the simulator on one profile.
struct ProfileAccuracy {
  std::string file;  ///< name of the profile, without its folder
  DeviceFacts device;
  Precision precision = Precision::fp32;
  int stages = 0, schedules = 0;  ///< measured, from the profile
  Accuracy accuracy;
};

/// nullptr if the origin is neither a built-in network nor one of the graph files.
std::shared_ptr<const Graph> graph_of(const ScheduleOrigin& origin, const std::map<std::string, std::string>& files) {
  if (const auto file = files.find(origin.network); file != files.end())
    return std::make_shared<const Graph>(
        opsched::load_graph(file->second, {.batch = origin.batch, .image = origin.image}));
  if (std::ranges::find(networks(), origin.network, &NetworkInfo::name) == networks().end()) return nullptr;
  return std::make_shared<const Graph>(make_network(origin.network, {.batch = origin.batch, .image = origin.image}));
}

/// "5.9%  15.4%  20.0%  0.98  (1869)"
std::vector<std::string> cells(const ErrorStats& s) {
  if (s.count == 0) return {"-", "-", "-", "-", "0"};
  return {fixed(100 * s.median, 1) + "%", fixed(100 * s.p90, 1) + "%", fixed(100 * s.worst, 1) + "%", fixed(s.rank, 3),
          std::to_string(s.count)};
}

void print(const ProfileAccuracy& p) {
  const FitReport& fit = p.accuracy.fit;
  std::cout << wrapped(p.file + ": " + std::to_string(p.stages) + " stages, " + std::to_string(p.schedules) +
                           " schedules measured on " + p.device.name,
                       "  ")
            << "\n";
  TextTable table({Align::left, Align::right},
                  {"left out of the fit", "median", "90% below", "worst", "rank", "count", "pairs in order"});
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
    add(n.network + ": with recorded stages", n.replayed, n.replayed_pairs);
    add(n.network + ": without recorded stages", n.unseen, n.unseen_pairs);
    if (n.other_networks.count > 0) add(n.network + ": fitted to other networks", n.other_networks);
  }
  table.add_rule();
  for (const GpusAccuracy& g : p.accuracy.gpus)
    add(counted(g.gpus, "GPU") + (g.splits ? ": split operators" : ": whole operators"), g.replayed, g.pairs);
  std::cout << table.text();
  std::cout << "\n" << std::flush;
}

records::Record error_record(const ProfileAccuracy& profile, const std::string& network, const std::string& group,
                             const ErrorStats& stats, const OrderedPairs& pairs = {}) {
  records::Record record{.what = {.network = network, .scheduler = "", .precision = profile.precision},
                         .quantity = "simulator_error",
                         .labels = {{"group", group}},
                         .provenance = Provenance::simulated};
  if (stats.count == 0) {
    record.missing = "none were measured";
    return record;
  }
  record.value = stats.median;
  record.numbers = {
      {"count", stats.count}, {"p90", stats.p90}, {"worst", stats.worst}, {"bias", stats.bias}, {"rank", stats.rank}};
  if (pairs.all > 0) record.numbers.insert({{"pairs", pairs.all}, {"pairs_right", pairs.right}});
  return record;
}

records::Case case_of(const ScheduleOrigin& origin, Precision precision) {
  const auto known = std::ranges::find(networks(), origin.network, &NetworkInfo::name);
  const bool usual = known != networks().end() && origin.image == known->image;
  return {.network = origin.network,
          .scheduler = origin.scheduler,
          .batch = origin.batch,
          .image = usual ? ImageSize() : origin.image,
          .precision = precision,
          .gpus = origin.gpus,
          .options = origin.options};
}

/// simulator_error: over all stages (labels "group": concurrent, concurrent_seen, merge, operators), for every network
/// (stages, replayed, unseen, other_networks), for every number of GPUs (whole, split), and for every measured schedule
/// (held_out; "again" numbers repeated schedules of a case). simulator_law: the fitted parameters.
std::vector<records::Record> accuracy_records(const ProfileAccuracy& profile) {
  const FitReport& fit = profile.accuracy.fit;
  std::vector<records::Record> list = {
      error_record(profile, "", "concurrent_seen", fit.fitted), error_record(profile, "", "concurrent", fit.concurrent),
      error_record(profile, "", "merge", fit.merge), error_record(profile, "", "operators", fit.solo)};
  for (const NetworkAccuracy& n : profile.accuracy.networks) {
    list.push_back(error_record(profile, n.network, "stages", n.stages));
    list.push_back(error_record(profile, n.network, "replayed", n.replayed, n.replayed_pairs));
    list.push_back(error_record(profile, n.network, "unseen", n.unseen, n.unseen_pairs));
    if (n.other_networks.count > 0)
      list.push_back(error_record(profile, n.network, "other_networks", n.other_networks));
  }
  for (const GpusAccuracy& g : profile.accuracy.gpus) {
    list.push_back(error_record(profile, "", g.splits ? "split" : "whole", g.replayed, g.pairs));
    list.back().what.gpus = g.gpus;
  }
  std::map<std::string, int> times;
  for (const HeldOutSchedule& s : profile.accuracy.schedules) {
    records::Record record{
        .what = case_of(s.origin, profile.precision),
        .quantity = "simulator_error",
        .labels = {{"group", "held_out"}},
        .value = s.replayed / s.measured - 1,
        .numbers = {{"measured_ms", s.measured}, {"replayed_ms", s.replayed}, {"unseen_ms", s.unseen}},
        .texts = {{"mode", to_string(s.mode)}},
        .provenance = Provenance::simulated};
    if (const int again = ++times[record.key()]; again > 1) record.labels["again"] = std::to_string(again);
    list.push_back(std::move(record));
  }
  list.push_back({.what = {.precision = profile.precision},
                  .quantity = "simulator_law",
                  .numbers = {{"softness", fit.law.exponent},
                              {"crowding", fit.law.interference},
                              {"fork_ms", fit.law.fork_ms},
                              {"chain_ms", fit.law.chain_ms},
                              {"stages", profile.stages},
                              {"schedules", profile.schedules}},
                  .provenance = Provenance::simulated});
  return list;
}

void fit(const FitOptions& options) {
  std::string folder = options.folder;
  if (folder.empty()) {
    const std::vector<std::string> known = recorded_folders();
    if (known.empty()) throw Error("no folder in results/ has a profile; name one with --profile FOLDER");
    folder = known.front();
  }
  if (!has_profile(folder)) throw Error("'" + folder + "' has no profile");
  std::vector<Precision> precisions;
  if (!options.precision.empty())
    precisions.push_back(parse_precision(options.precision));
  else
    for (Precision precision : kPrecisions)
      if (has_profile(folder, precision)) precisions.push_back(precision);
  const std::map<std::string, std::string> files = bench::graph_files(options.graphs);
  StatusLine status;
  std::vector<ProfileAccuracy> results;
  for (Precision precision : precisions) {
    const std::string file = profile_file(folder, precision);
    Profile profile = Profile::load(file);
    // Keeps other processes from writing it meanwhile.
    if (options.save) profile = Profile::open(file, profile.device(), precision);
    std::map<std::string, std::shared_ptr<const Graph>> graphs;  // a graph for each network and batch
    const auto cases = recorded_cases(profile, [&](const ScheduleOrigin& origin) {
      check_interrupt();
      std::shared_ptr<const Graph> graph = graph_of(origin, files);
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
    if (options.save) {
      show(to_string(precision) + ": calibration with all schedules");
      calibrate(profile, ContentionModel::fit(profile), cases);
      profile.save(file);
    }
    status.clear();
    print(results.back());
  }
  if (results.empty()) return;
  const std::unique_ptr<records::RecordFile> file = options.records.open(run_of(results.front().device));
  if (!file) return;
  for (const ProfileAccuracy& result : results)
    for (records::Record& record : accuracy_records(result)) file->add(std::move(record));
  file->finish();
}

}  // namespace

Command fit_command() {
  return {.name = "fit",
          .summary = "Report how well the simulator predicts measured stages and schedules",
          .examples =
              "  opsched fit                                  the recorded results\n"
              "  opsched fit --profile results/mygpu --save   store the calibration for replays\n"
              "  opsched fit --profile results/mygpu --out results/mygpu   also store the errors in records.jsonl\n"
              "  opsched fit --profile results/public-networks --graph networks/public   schedules of graph files\n"
              "Every stage, scheduler and network is left out of the fit once, and predicted by a fit to the others.\n"
              "Schedules that split operators are left out together, whichever scheduler made them.\n"
              "'With recorded stages': latencies of single stages come from the profile where it has them, as in\n"
              "replays. 'Without recorded stages': nothing from that scheduler is used. Pairs: schedules of one\n"
              "network whose measured latencies differ by more than 2% (by number of GPUs: by more than the\n"
              "median error), and how many were ordered correctly.",
          .setup = setup_of(fit)};
}

}  // namespace opsched::cli

// opsched arena: ranks schedulers by recorded latencies, without a GPU.
#include <cmath>
#include <filesystem>
#include <map>

#include "experiments/bench/replays.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/studies/arena.hpp"

namespace opsched::cli {
namespace {

struct ArenaCommandOptions {
  std::vector<std::string> folders, schedulers;
  ArenaFilter filter;
  CacheOptions cache;
  RecordOptions records;

  void add_to(CLI::App& app) {
    app.add_option("FOLDER", folders, "Folders with records.jsonl (default: every results folder with a profile)");
    app.add_option("--scheduler", schedulers,
                   "Schedulers to run on each folder's profile, each followed by its options, as in mine,r=2 (others "
                   "take part by their records)")
        ->delimiter(',');
    app.add_option("--network", filter.networks, "Only these")->delimiter(',');
    app.add_option("--precision", filter.precisions, "Only these")->delimiter(',');
    app.add_option("--batch", filter.batches, "Only these")->delimiter(',');
    app.add_option("--gpus", filter.gpus, "Only these numbers of GPUs")->delimiter(',');
    cache.add_to(app);
    records.add_to(app);
  }

  std::vector<ArenaChallenger> challengers() const {
    std::vector<ArenaChallenger> all;
    if (schedulers.empty()) return all;
    for (const bench::Case& what :
         bench::make_cases({.networks = {"squeezenet"}, .schedulers = schedulers, .precisions = {"fp32"}}))
      all.push_back({what.scheduler, what.options});
    return all;
  }
};

std::string as_percent(double part) { return fixed(100 * part, 1) + "%"; }

std::string of_contest(const records::Case& what) {
  return what.network + ", " + to_string(what.precision) + ", batch " + std::to_string(what.batch) +
         (what.image == 0 ? "" : ", image " + to_string(what.image)) + ", " +
         counted(static_cast<std::size_t>(what.gpus), "GPU");
}

void print_contest(const std::string& gpu, const ArenaContest& contest) {
  const records::Case& what = contest.entries.empty() ? contest.refused.front().what : contest.entries.front().what;
  std::cout << "\n" << gpu << ": " << of_contest(what) << "\n";
  TextTable table({Align::right, Align::left, Align::right},
                  {"rank", "scheduler", "ms", "error", "behind best", "above bound", "search, s"});
  for (const ArenaEntry& e : contest.entries)
    table.add({std::to_string(e.rank), e.what.scheduler_name(), (e.predicted() ? "~" : "") + fixed(e.ms, 4),
               as_percent(e.error), as_percent(e.ms / contest.entries.front().ms - 1),
               contest.bound_ms > 0 ? as_percent(e.ms / contest.bound_ms - 1) : "-",
               e.search_seconds ? fixed(*e.search_seconds, 2) : "-"});
  if (!contest.entries.empty()) std::cout << table.text();
  for (const ArenaRefusal& one : contest.refused)
    std::cout << wrapped("  not ranked: " + one.what.scheduler_name() + ": " + one.why, "    ") << "\n";
}

/// Prints how reliable predictions are, from the records of `opsched fit`.
void print_trust(const std::string& gpu, const records::Records& records) {
  double pairs = 0, right = 0;
  for (const records::Record* r : records.standing())
    if (r->quantity == "simulator_error" && r->labels.contains("group") && r->labels.at("group") == "unseen") {
      pairs += r->number_or("pairs", 0);
      right += r->number_or("pairs_right", 0);
    }
  if (pairs > 0)
    std::cout << "\n"
              << wrapped(gpu + ": on unseen schedules, the simulator put " + fixed(right, 0) + " of " +
                         fixed(pairs, 0) + " pairs that differ by more than 2% in the right order")
              << "\n";
}

/// One record for each entry and each refusal.
void keep_contest(records::RecordFile& file, const std::string& gpu, const ArenaContest& contest) {
  const std::map<std::string, std::string> labels = {{"on", gpu}};
  const std::map<std::string, std::string> validator = {{"validator", std::to_string(kValidatorVersion)}};
  for (const ArenaEntry& e : contest.entries) {
    records::Record record{.what = e.what, .quantity = "arena", .labels = labels, .value = e.ms, .unit = "ms"};
    record.numbers = {{"rank", e.rank}, {"error", e.error}, {"behind_best", e.ms / contest.entries.front().ms - 1}};
    if (contest.bound_ms > 0) record.numbers["above_bound"] = e.ms / contest.bound_ms - 1;
    if (e.search_seconds) record.numbers["search_seconds"] = *e.search_seconds;
    record.texts = validator;
    record.texts["latency"] = e.predicted() ? "predicted" : "measured";
    record.schedule = e.schedule;
    // Measured values were measured elsewhere and are only read here.
    record.provenance = e.provenance == Provenance::measured ? Provenance::recorded : e.provenance;
    file.add(std::move(record));
  }
  for (const ArenaRefusal& one : contest.refused)
    file.add({.what = one.what,
              .quantity = "arena",
              .labels = labels,
              .missing = one.why,
              .texts = validator,
              .provenance = Provenance::recorded});
}

/// Totals over all contests.
class Standings {
 public:
  void add(const ArenaContest& contest) {
    for (const ArenaEntry& e : contest.entries) {
      One& one = schedulers_[e.what.scheduler_name()];
      ++one.contests;
      one.first += e.rank == 1;
      one.predicted += e.predicted();
      one.log_behind += std::log(e.ms / contest.entries.front().ms);
    }
    for (const ArenaRefusal& refusal : contest.refused) ++schedulers_[refusal.what.scheduler_name()].refused;
  }

  void print() const {
    std::cout << "\nAll contests. First: no scheduler is certainly faster. Behind best: geometric mean.\n";
    TextTable table({Align::left, Align::right},
                    {"scheduler", "contests", "first", "behind best", "predicted", "not ranked"});
    for (const auto& [name, one] : schedulers_)
      table.add({name, std::to_string(one.contests), std::to_string(one.first),
                 one.contests > 0 ? as_percent(std::exp(one.log_behind / one.contests) - 1) : "-",
                 std::to_string(one.predicted), std::to_string(one.refused)});
    std::cout << table.text();
  }

 private:
  struct One {
    int contests = 0, first = 0, predicted = 0, refused = 0;
    double log_behind = 0;
  };
  std::map<std::string, One> schedulers_;
};

void run_arena(const ArenaCommandOptions& options) {
  StatusLine status;
  const std::vector<ArenaChallenger> challengers = options.challengers();
  std::vector<std::string> folders = options.folders.empty() ? recorded_folders() : options.folders;
  if (folders.empty()) throw Error("no results folder has a profile; name a folder: opsched arena FOLDER");
  for (const std::string& folder : folders)
    if (!std::filesystem::is_directory(folder)) throw Error("there is no folder '" + folder + "'");
  const std::unique_ptr<records::RecordFile> file = options.records.open();
  const bench::ScheduleStore store(options.cache.schedules(), warn);
  Standings standings;
  bool any = false;
  for (const std::string& folder : folders) {
    const records::Records records = records::Records::read(folder);
    for (const std::string& warning : records.warnings()) warn(warning);
    Countdown countdown;
    const auto report = [&](const bench::ReplayProgress& now) {
      check_interrupt();
      status.show(countdown.text(now.done, now.total) + now.text);
    };
    const ArenaReplay replay = [&](const std::vector<records::Case>& cases) {
      return bench::replay_cases(folder, cases, {.store = &store, .report = report});
    };
    const std::string gpu = std::filesystem::path(folder).lexically_normal().filename().string();
    print_trust(gpu, records);
    for (const ArenaContest& contest : arena(records, options.filter, challengers, replay)) {
      check_interrupt();
      status.clear();
      any = true;
      print_contest(gpu, contest);
      standings.add(contest);
      if (file) keep_contest(*file, gpu, contest);
    }
  }
  if (!any) throw Error("there are no recorded latencies for these networks, precisions, batches and numbers of GPUs");
  standings.print();
  std::cout << "~ predicted: read from a profile or simulated; other latencies were measured. Two schedules differ\n"
               "in rank only if their latencies differ by more than the error. Every schedule passed validator\n"
               "version "
            << kValidatorVersion << ".\n";
  if (file) file->finish();
}

}  // namespace

Command arena_command() {
  return {.name = "arena",
          .summary = "Rank schedulers, including yours, on every recorded case without a GPU",
          .examples =
              "  opsched arena                                        rank the records of every folder\n"
              "  opsched arena --scheduler mine results/h200          rank your scheduler against the others\n"
              "  opsched arena --scheduler ios-both,r=2 --network nasnet --batch 1 results/h200\n"
              "  opsched arena --out results/arena                    also store the ranking in records.jsonl\n"
              "A latency is measured if a record holds the same schedule, and otherwise predicted (~).",
          .setup = setup_of(run_arena)};
}

}  // namespace opsched::cli

// opsched repeat: runs the same benchmark in several processes and shows how far they differ.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "core/names.hpp"
#include "core/statistics.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/records/records.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::cli {
namespace {

struct RepeatOptions {
  int processes = 5;
  std::vector<std::string> arguments;
  RecordOptions records;

  void add_to(CLI::App& app) {
    app.add_option("--processes", processes, "Number of processes, run one after another")->check(CLI::Range(2, 1000));
    records.add_to(app);
    app.add_option("OPTION", arguments, "Options of opsched bench, after --; without --out")->required();
  }
};

/// Runs this program again and discards its output.
void run_again(std::vector<std::string> words) {
  words.insert(words.begin(), "/proc/self/exe");
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t silent{};
  posix_spawn_file_actions_init(&silent);
  posix_spawn_file_actions_addopen(&silent, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int started = posix_spawn(&child, program.c_str(), &silent, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&silent);
  if (started != 0) throw Error("cannot start " + program + " again");
  int status = 0;
  for (bool told = false; waitpid(child, &status, WNOHANG) == 0;) {
    if (interrupted() && !told) kill(child, SIGTERM), told = true;  // the signal may have reached only this process
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  check_interrupt();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error("'opsched " + joined(std::vector(words.begin() + 1, words.end()), {}, " ") + "' failed; see above");
}

/// Makes all processes measure into one profile, so that their searches start from the same costs: the folder's
/// profile, or a temporary one. Empty if the user chose one or nothing is measured.
std::vector<std::string> shared_profile(const RepeatOptions& options, const ScratchFolder& scratch) {
  const auto names = [](const std::string& word) {
    return word.starts_with("--profile") || word.starts_with("--device");
  };
  if (!has_gpu() || std::ranges::any_of(options.arguments, names)) return {};
  return {"--profile", options.records.out.empty() ? scratch.path() : options.records.out};
}

/// One case, with the value from every process.
records::Record process_record(const records::Record& last, const std::vector<double>& ms) {
  records::Record record{.what = last.what, .quantity = "process_latency", .unit = "ms"};
  const Measurement all = summarise(ms);
  record.value = all.median;
  record.spread = records::Spread{
      .min = all.min, .max = all.max, .stddev = all.stddev, .mad_ratio = all.mad_ratio, .runs = all.runs};
  record.series["processes_ms"] = ms;
  record.graph = last.graph;
  record.schedule = last.schedule;
  record.provenance = last.provenance;
  return record;
}

void repeat(const RepeatOptions& options) {
  for (const std::string& word : options.arguments)
    if (word == "--out" || word.starts_with("--out="))
      throw Error("put --out before --: opsched repeat --out FOLDER -- OPTIONS OF BENCH");
  std::vector<std::string> keys;
  std::map<std::string, std::vector<double>> ms;
  std::map<std::string, records::Record> last;
  records::Run run;
  StatusLine status;
  const ScratchFolder profile("profile");
  const std::vector<std::string> shared = shared_profile(options, profile);
  for (int i = 0; i < options.processes; ++i) {
    status.show("process " + std::to_string(i + 1) + " of " + std::to_string(options.processes));
    const ScratchFolder scratch("repeat");
    std::vector<std::string> words = {"bench"};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    words.insert(words.end(), shared.begin(), shared.end());
    words.insert(words.end(), {"--out", scratch.path()});
    run_again(words);
    const records::Records found = records::Records::read(scratch.path());
    for (const records::Record* r : found.standing()) {
      if (r->quantity != "latency" || !r->value) continue;
      if (!ms.contains(r->key())) keys.push_back(r->key());
      ms[r->key()].push_back(*r->value);
      last[r->key()] = *r;
      run = found.run_of(*r);
    }
  }
  status.clear();
  run.id.clear();
  run.begin.clear();
  run.command.clear();
  const std::unique_ptr<records::RecordFile> file = options.records.open(run);
  TextTable table({Align::left, Align::right}, {"case", "median, ms", "least", "largest", "spread", "processes"});
  for (const std::string& key : keys) {
    const records::Record record = process_record(last.at(key), ms.at(key));
    table.add({key, fixed(*record.value, 4), fixed(record.spread->min, 4), fixed(record.spread->max, 4),
               fixed(100 * (record.spread->max - record.spread->min) / *record.value, 2) + "%",
               std::to_string(record.spread->runs)});
    if (file) file->add(record);
  }
  if (file) file->finish();
  std::cout << table.text()
            << "Spread: between the fastest and the slowest process. Smaller differences between\n"
               "schedules are not significant.\n";
}

}  // namespace

Command repeat_command() {
  return {.name = "repeat",
          .summary = "Run a benchmark in several processes and report how much they differ",
          .examples =
              "  opsched repeat --processes 7 -- --network randwire --precision fp16 --scheduler sequential\n"
              "  opsched repeat --out results/mygpu -- --network nasnet   also store the results in records.jsonl",
          .setup = setup_of(repeat)};
}

}  // namespace opsched::cli

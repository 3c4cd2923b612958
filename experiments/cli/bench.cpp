// opsched bench: measures latencies.
#include <algorithm>

#include "experiments/bench/protocols.hpp"
#include "experiments/bench/session.hpp"
#include "experiments/bench/sweep.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

struct BenchOptions {
  bench::SessionOptions session;
  CaseOptions cases;
  DeviceOptions device;
  RecordOptions records;
  CacheOptions cache;
  std::vector<std::string> protocols;
  std::string sweep, filter;
  bool list = false, share_cases = false;
  CLI::App* app = nullptr;  ///< holds the flags of Google Benchmark

  void add_to(CLI::App& command) {
    app = &command;
    command.allow_extras();
    cases.add_to(command);
    command.add_option("--gpus", cases.selection.gpus, "Numbers of GPUs, as in 1,2,4 (default: 1)")->delimiter(',');
    command.add_option("--sweep", sweep,
                       "A file that says which cases run, in place of the options above: docs/sweeps.md");
    add_device(command, device);
    add_hosts(command, device);
    command.add_flag("--through-host", device.through_host,
                     "Transfer tensors between GPUs through host memory (needs its own --profile)");
    records.add_to(command);
    command.add_flag("--replace", session.replace,
                     "With --out: let replayed results replace measured ones (otherwise the stronger record is kept)");
    cache.add_to(command);
    command.add_option("--max-seconds", session.max_seconds, "Approximate time limit for measuring one schedule")
        ->check(CLI::PositiveNumber);
    command.add_option("--measure", protocols, bench::protocols_help())->delimiter(',');
    add_share_cases(command, share_cases);
    command.add_flag("--list", list, "Only list the benchmarks");
  }

  /// The cases of the sweep or of the options, after the filter.
  std::vector<bench::Case> chosen_cases() {
    if (sweep.empty()) return bench::filtered(cases.cases(), filter);
    for (const char* name : {"--network", "--graph", "--scheduler", "--batch", "--image", "--precision", "--gpus"})
      if (app->count(name) > 0)
        throw Error("--sweep '" + sweep + "' says which cases run: leave " + name +
                    " out, or say it in the file (--benchmark_filter runs a part of them)");
    return bench::filtered(bench::sweep_cases(sweep), filter);
  }
};

void run_bench(BenchOptions& options, ProcessGroup& processes) {
  bench::SessionOptions& session = options.session;
  for (const std::string& text : options.app->remaining()) {
    if (!text.starts_with("--benchmark_")) throw Error("unknown option '" + text + "' (opsched bench --help)");
    if (text.starts_with("--benchmark_filter="))
      options.filter = text.substr(text.find('=') + 1);
    else if (text.starts_with("--benchmark_list_tests"))
      options.list = !text.ends_with("=false");
    else
      session.benchmark_flags.push_back(text);
  }
  session.protocols = bench::parse_protocols(options.protocols);
  if (options.share_cases && !session.protocols.empty())
    throw Error("--measure does not work with --share-cases: remove one of them");
  session.cases = options.chosen_cases();
  if (options.list) {
    for (const bench::Case& what : session.cases) std::cout << what.name() << "\n";
    return;
  }
  session.cache = options.cache.schedules();
  options.device.gpus = std::ranges::max(session.cases, {}, &bench::Case::gpus).gpus;
  options.device.results = options.records.out;
  place_processes(options.device, processes, options.share_cases);
  const std::unique_ptr<Device> device = open_device(options.device);
  session.share = sharing(processes, options.share_cases, options.device, session, *device);
  const std::unique_ptr<records::RecordFile> file = options.records.open(*device);
  bench::run_session(*device, file.get(), session);
}

}  // namespace

Command bench_command() {
  return {.name = "bench",
          .summary = "Measure (or replay) the latency of every network under every scheduler",
          .examples =
              "  opsched bench                                          the default: batch 1, one GPU\n"
              "  opsched bench --network nasnet --precision fp16        a part of it\n"
              "  opsched bench --batch all --out results/mygpu          every batch; records stored in a folder\n"
              "  opsched bench --sweep sweep.json --out results/mygpu   the cases in a file: docs/sweeps.md\n"
              "  opsched bench --benchmark_filter='squeezenet/.*fp32'   flags of Google Benchmark work as usual\n"
              "  opsched bench --benchmark_repetitions=5 --benchmark_out=bench.json\n"
              "  opsched bench --benchmark_format=console               Google Benchmark's own table\n"
              "  opsched bench --network nasnet --measure lone,cold,in-flight=2,energy   other protocols as well\n"
              "  opsched bench --device sim --profile results/h200      replay, even if there is a GPU\n"
              "  mpirun -n 2 opsched bench --gpus 2                     each process captures the part of its GPU\n"
              "  mpirun -n 4 opsched bench --share-cases --out r        each process runs its own cases\n"
              "An iteration is one timed replay of the schedule; a repetition is several of them. Without a GPU,\n"
              "latencies are read from the records in the profile's folder; the others are simulated (marked ~).\n"
              "Counters: speedup (over sequential on one GPU), p90_ms and p99_ms (over all replays).",
          .setup = setup_of(run_bench)};
}

}  // namespace opsched::cli

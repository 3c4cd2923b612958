// opsched bench: the main job.
#include <charconv>
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "experiments/bench/session.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/device/folders.hpp"

namespace opsched::cli {
namespace {

struct BenchOptions {
  bench::SessionOptions session;
  bench::Selection selection;
  DeviceOptions device;
  std::vector<std::string> batches = {"1"};
  bool no_cache = false, list = false;
};

constexpr int kAllBatches[] = {1, 16, 32, 64, 128};

/// Numbers, or "all".
std::vector<int> parse_batches(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"all"}) return {std::begin(kAllBatches), std::end(kAllBatches)};
  std::vector<int> batches;
  for (const std::string& word : words) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), batches.emplace_back());
    if (error != std::errc{} || end != word.data() + word.size() || (word.front() == '0' && word.size() > 1))
      throw Error("--batch '" + word + "': write numbers as in 1,16, or all");
  }
  return batches;
}

void run_bench(BenchOptions& options, const std::vector<std::string>& flags) {
  bench::SessionOptions& session = options.session;
  for (const std::string& text : flags) {
    if (!text.starts_with("--benchmark_")) throw Error("unknown option '" + text + "' (opsched bench --help)");
    if (text.starts_with("--benchmark_filter="))
      options.selection.filter = text.substr(text.find('=') + 1);
    else if (text.starts_with("--benchmark_list_tests"))
      options.list = !text.ends_with("=false");
    else
      session.benchmark_flags.push_back(text);
  }
  options.selection.batches = parse_batches(options.batches);
  session.cases = bench::make_cases(options.selection);
  if (options.list) {
    for (const bench::Case& what : session.cases) std::cout << what.name() << "\n";
    return;
  }
  if (session.cache.empty()) session.cache = user_cache_folder();
  if (!session.cache.empty()) session.cache += "/schedules";
  if (options.no_cache) session.cache.clear();
  session.command = command_line();
  options.device.gpus = *std::ranges::max_element(options.selection.gpus);
  const std::unique_ptr<Device> device = open_device(options.device);
  bench::run_session(*device, session);
}

}  // namespace

Command bench_command() {
  return {
      .name = "bench",
      .summary = "Latency of every network under every scheduler, on the GPUs of this host or replayed",
      .examples =
          "  opsched bench                                          the main job: batch 1, one GPU\n"
          "  opsched bench --network nasnet --precision fp16        a part of it\n"
          "  opsched bench --batch all --out results/mygpu          every batch, results kept in a folder\n"
          "  opsched bench --benchmark_filter='squeezenet/.*fp32'   flags of Google Benchmark work as usual:\n"
          "  opsched bench --benchmark_repetitions=5 --benchmark_out=bench.json\n"
          "  opsched bench --benchmark_format=console               Google Benchmark's own table instead of ours\n"
          "  opsched bench --device sim --profile results/h200      replay, even where there is a GPU\n"
          "An iteration is a timed replay of the schedule, a repetition several of them. Without a GPU, what was\n"
          "recorded is read from the records of the profile's folder, and the rest is simulated (marked ~).\n"
          "Counters: speedup (over sequential on one GPU), p90_ms and p99_ms (of all replays).",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<BenchOptions>();
        bench::SessionOptions& session = options->session;
        bench::Selection& selection = options->selection;
        app.allow_extras();
        app.add_option("--network", selection.networks, "Networks, as in a,b (default: all)")->delimiter(',');
        app.add_option("--scheduler", selection.schedulers, "Schedulers, as in a,b (default: all for the device count)")
            ->delimiter(',');
        app.add_option("--batch", options->batches, "Batches, as in 1,16; all: 1,16,32,64,128 (default: 1)")
            ->delimiter(',');
        app.add_option("--image", selection.images, "Image sizes, as in 512,1024; 0: the network's own")
            ->delimiter(',');
        app.add_option("--precision", selection.precisions, "fp32, tf32, fp16, as in a,b (default: all)")
            ->delimiter(',');
        app.add_option("--gpus", selection.gpus, "Device counts, as in 1,2,4 (default: 1)")->delimiter(',');
        app.add_option("--device", options->device.kind, "gpu, sim (replay a profile) or auto")->capture_default_str();
        app.add_option("--profile", options->device.profile, "Folder of the profile to replay, or to measure into");
        app.add_flag("--through-host", options->device.through_host,
                     "Move tensors between GPUs by way of host memory (needs a --profile of its own)");
        app.add_option("--out", session.out,
                       "Append records to this folder (records.jsonl); an interrupted run is continued");
        app.add_flag("--fresh", session.fresh, "With --out: forget an interrupted run");
        app.add_flag("--replace", session.replace,
                     "With --out: let replays take the place of measurements (otherwise the stronger record stands)");
        app.add_option("--cache", session.cache, "Folder where schedules are kept (default: ~/.cache/opsched)");
        app.add_flag("--no-cache", options->no_cache, "Find every schedule anew");
        app.add_option("--max-seconds", session.max_seconds, "About the longest time to measure one schedule")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        app.add_flag("--list", options->list, "Only show the names");
        return [options, &app] { run_bench(*options, app.remaining()); };
      }};
}

}  // namespace opsched::cli

// opsched bench: the main job.
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "experiments/bench/session.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/device/folders.hpp"

namespace opsched::cli {
namespace {

struct BenchOptions {
  bench::SessionOptions session;
  bench::Selection selection;
  DeviceOptions device;
  std::string batches = "1";
  bool no_cache = false, no_settle = false, list = false;
};

constexpr int kAllBatches[] = {1, 16, 32, 64, 128};

/// "1,16" or "all".
std::vector<int> parse_batches(const std::string& text) {
  if (text == "all") return {std::begin(kAllBatches), std::end(kAllBatches)};
  std::vector<int> batches;
  for (const std::string& word : CLI::detail::split(text, ',')) {
    int value = 0;
    if (!CLI::detail::lexical_cast(word, value))
      throw Error("--batch '" + text + "': write numbers as in 1,16, or all");
    batches.push_back(value);
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
  session.settle = !options.no_settle;
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
          "  opsched bench --device sim --profile results/h200      replay, even where there is a GPU\n"
          "  opsched bench --profile results/h200 --out results/h200 --network squeezenet --scheduler sequential\n"
          "                                                         on a GPU: also settles all that is in the folder\n"
          "Counters: speedup (over sequential on one GPU), stages, gap (how much longer than the larger of two lower\n"
          "bounds, critical path and work; 0.1 is 10%), peak_bytes (activations on the device that needs most).",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<BenchOptions>();
        bench::SessionOptions& session = options->session;
        bench::Selection& selection = options->selection;
        app.allow_extras();
        app.add_option("--network", selection.networks, "Networks, as in a,b (default: all)")->delimiter(',');
        app.add_option("--scheduler", selection.schedulers, "Schedulers, as in a,b (default: all for the device count)")
            ->delimiter(',');
        app.add_option("--batch", options->batches, "Batches, as in 1,16; all: 1,16,32,64,128")->capture_default_str();
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
                       "Keep results in this folder (bench.json); an interrupted run is continued");
        app.add_flag("--fresh", session.fresh, "With --out: forget an interrupted run");
        app.add_flag("--no-settle", options->no_settle,
                     "With --out on a GPU: leave results as they were first found. Otherwise, once all cases have run, "
                     "every search runs again on the finished profile; where that gives another schedule it is "
                     "measured and takes the old one's place, so that `opsched replay` finds all of them");
        app.add_option("--settle-rounds", session.settle_rounds,
                       "Times that settling searches all cases again, at most; from the last time on it only measures "
                       "the schedules that the replay finds. 1: no search measures anything more")
            ->check(CLI::Range(1, 100))
            ->capture_default_str();
        app.add_option("--cache", session.cache, "Folder where schedules are kept (default: ~/.cache/opsched)");
        app.add_flag("--no-cache", options->no_cache, "Find every schedule anew");
        app.add_option("--max-seconds", session.measure.max_seconds, "Longest time to measure one schedule")
            ->capture_default_str();
        app.add_flag("--list", options->list, "Only show the names");
        return [options, &app] { run_bench(*options, app.remaining()); };
      }};
}

}  // namespace opsched::cli

// opsched warps: how many warps a schedule keeps in flight, over time (IOS, figure 3).
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "core/runtime/trace/warp_file.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/console/text_table.hpp"

namespace opsched::cli {
namespace {

constexpr int kSamples = 500;

struct WarpOptions {
  GraphOptions graph;
  RunOptions run;
  std::vector<std::string> schedulers = {"sequential", "ios-both"};
  std::string out;
  bool counters = false;
};

std::string command_of(const WarpOptions& options, const Graph& graph) {
  const GraphOptions& g = options.graph;
  std::string command = "opsched warps " + (g.file.empty() ? g.network : "--graph " + g.file);
  if (!g.block.empty()) command += " --block " + g.block;
  if (graph.batch() > 1) command += " --batch " + std::to_string(graph.batch());
  return command + " --precision " + options.run.precision + (options.counters ? " --counters" : "");
}

void warps(const WarpOptions& options) {
  StatusLine status;
  const Graph graph = options.graph.load();
  const Precision precision = parse_precision(options.run.precision);
  for (const std::string& name : options.schedulers) check_scheduler(name, 1, {});
  if (options.run.device == "sim" || !has_gpu())
    throw Error("active warps are counted on a GPU, and there is none in use: a profile knows latencies, not warps");
  const std::unique_ptr<Device> device = open_device(options.run.device_options(1, status));
  const std::unique_ptr<CostModel> costs = device->costs(graph, precision);
  std::vector<WarpSeries> series;
  for (const std::string& name : options.schedulers) {
    const Schedule schedule =
        make_schedule(name, {.cost = *costs, .devices = 1, .options = {}, .progress = interruptible(status)});
    status.show(name + ": tracing");
    check_interrupt();
    const std::unique_ptr<Executor> executor = device->executor(*costs, schedule, precision, 1);
    const Trace trace = executor->trace();
    WarpSeries& s = series.emplace_back();
    s.network = graph.name();
    s.batch = graph.batch();
    s.precision = to_string(precision);
    s.scheduler = name;
    const std::vector<WarpSample> curve = options.counters ? executor->count_warps() : active_warps(trace, 0);
    s.samples = resampled(curve, kSamples);
    s.makespan_ms = options.counters ? curve.back().t_ms : trace.makespan;
    s.mean_warps_per_sm = mean_warps(curve);
    s.multiprocessors = trace.multiprocessors;
    s.max_warps_per_sm = trace.max_warps_per_sm;
    s.method = options.counters ? "counted by the hardware, sampled every microsecond of one replay"
                                : "derived from activity records";
    s.source = (options.counters ? "" : trace.source + "; ") + device->describe();
    s.command = command_of(options, graph);
  }
  device->save();
  const std::string file = add_warps(options.out.empty() ? "results/" + device->name() : options.out, series);
  status.clear();
  std::cout << graph.name() << ", batch " << graph.batch() << ", " << to_string(precision) << "; " << device->describe()
            << "\nActive warps on a multiprocessor, of at most " << series.front().max_warps_per_sm << ", "
            << series.front().method << "\n";
  TextTable table({Align::left, Align::right});
  table.add({"schedule", "mean warps", "of sequential", "traced ms"});
  table.add_rule();
  for (const WarpSeries& s : series)
    table.add({s.scheduler, fixed(s.mean_warps_per_sm, 2),
               fixed(s.mean_warps_per_sm / series.front().mean_warps_per_sm, 2) + "x", fixed(s.makespan_ms, 4)});
  table.print(std::cout);
  std::cout << "written: " << file << "\n";
}

}  // namespace

Command warps_command() {
  return {.name = "warps",
          .summary = "Active warps over time of schedules, on a GPU (IOS, figure 3)",
          .examples =
              "  opsched warps inception_v3 --block e2                 a sample block: sequential against IOS\n"
              "  opsched warps inception_v3 --out results/mygpu        the whole network, into a folder\n"
              "  opsched warps nasnet --schedulers sequential,dataflow --precision fp16\n"
              "  opsched warps inception_v3 --block e2 --counters      counted, not derived: needs CUDA 12.6 and "
              "permission\n"
              "Derived from CUPTI's record of every kernel: its interval, and how many of its blocks the occupancy\n"
              "calculator lets a multiprocessor hold. Written to FOLDER/active_warps.json.",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<WarpOptions>();
            options->graph.add_to(app);
            app.add_option("--schedulers", options->schedulers, "Schedulers to compare, as in a,b")
                ->delimiter(',')
                ->capture_default_str();
            options->run.add_to(app);
            app.add_flag(
                "--counters", options->counters,
                "Count warps in hardware (CUPTI's sampling of performance monitors; the driver must allow it)");
            app.add_option("--out", options->out, "Folder of results (default: results/NAME of the GPU)");
            return [options] { warps(*options); };
          }};
}

}  // namespace opsched::cli

// opsched ablation: what each part of the IOS search is worth on one network.
#include <filesystem>
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/cli/progress.hpp"
#include "experiments/cli/text_table.hpp"
#include "experiments/ios_ablation.hpp"

namespace opsched::cli {
namespace {

struct AblationOptions {
  GraphOptions graph;
  RunOptions run;
  std::vector<std::string> studies = ablation_studies();
  std::string fresh, output;
};

void print_table(const std::vector<AblationRow>& rows) {
  TextTable table({Align::left, Align::left, Align::right});
  table.add(
      {"study", "variant", "run, ms", "predicted, ms", "stages", "transitions", "asked of", "measured", "search, s"});
  table.add_rule();
  for (const AblationRow& row : rows)
    table.add({row.study, row.variant, fixed(row.run_ms, 4), fixed(row.predicted_ms, 4), std::to_string(row.stages),
               std::to_string(row.stats.transitions), std::to_string(row.stats.stages),
               std::to_string(row.stats.measured), fixed(row.stats.seconds, 2)});
  table.print(std::cout);
}

void ablation(const AblationOptions& options) {
  StatusLine status;
  const Graph graph = options.graph.load();
  const Precision precision = parse_precision(options.run.precision);
  const std::unique_ptr<Device> device = open_device(options.run.device_options(1, status));
  device->require(1, precision);
  if (!options.fresh.empty() && !device->measures())
    throw Error("--fresh '" + options.fresh + "': is for a device that measures; this one is " + device->describe());
  const std::unique_ptr<CostModel> shared = device->costs(graph, precision);
  // With --fresh every search measures into an empty profile of its own.
  std::unique_ptr<Device> fresh_device;
  std::unique_ptr<CostModel> fresh_costs;
  int searches = 0;

  AblationSource source;
  source.costs = [&]() -> CostModel& {
    if (options.fresh.empty()) return *shared;
    fresh_costs.reset();
    DeviceOptions fresh = options.run.device_options(1, status);
    fresh.profile = options.fresh + "/search-" + std::to_string(++searches);
    if (std::filesystem::exists(fresh.profile))
      throw Error("--fresh '" + options.fresh + "': has profiles already; name a new folder");
    fresh_device = open_device(fresh);
    fresh_costs = fresh_device->costs(graph, precision);
    return *fresh_costs;
  };
  source.run = [&](const Schedule& schedule) {
    const Timing timing = device->time(*shared, schedule, precision, {}, graph.name() + "/ablation");
    device->save();
    return timing.latency.median;
  };
  source.progress = interruptible(status);
  const std::vector<AblationRow> rows = ios_ablation(options.studies, source);
  status.clear();
  if (!options.output.empty()) write_file_atomically(options.output, to_json(rows));
  std::cout << device->describe() << "\n";
  print_table(rows);
}

}  // namespace

Command ablation_command() {
  return {.name = "ablation",
          .summary = "What each part of the IOS search is worth: pruning, merging, endings, measuring, barriers",
          .examples =
              "  opsched ablation inception_v3                                  every study\n"
              "  opsched ablation nasnet --study pruning -o pruning.json        one, kept as JSON\n"
              "  opsched ablation squeezenet --study measuring --fresh /tmp/p   every search from an empty profile",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<AblationOptions>();
            options->graph.add_to(app);
            options->run.add_to(app);
            app.add_option("--study", options->studies, "pruning, strategies, enumerations, measuring, barriers")
                ->capture_default_str();
            app.add_option("--fresh", options->fresh,
                           "A new folder: every search measures into an empty profile in it, so that its cost counts "
                           "from nothing");
            app.add_option("-o,--output", options->output, "Write the rows to this file as JSON");
            return [options] { ablation(*options); };
          }};
}

}  // namespace opsched::cli

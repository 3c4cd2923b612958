// opsched ablation: what each part of the IOS search is worth on one network.
#include <iostream>
#include <memory>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/blocks.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/studies/ios_ablation.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::cli {
namespace {

struct AblationOptions {
  GraphOptions graph;
  RunOptions run;
  std::vector<std::string> studies = ablation_studies();
  std::string out;
  int part = -1;
  bool fresh = false;
};

std::string table_of(const std::vector<AblationRow>& rows) {
  TextTable table({Align::left, Align::left, Align::right});
  table.add({"study", "variant", "run, ms", "from", "predicted, ms", "bound, ms", "stages", "transitions", "asked of",
             "measured", "search, s"});
  table.add_rule();
  for (const AblationRow& row : rows)
    table.add({row.study, row.variant, fixed(row.run_ms, 4), row.how, fixed(row.predicted_ms, 4),
               fixed(row.bound_ms, 4), std::to_string(row.stages), std::to_string(row.transitions),
               std::to_string(row.asked_of), std::to_string(row.measured), fixed(row.search_seconds, 2)});
  std::ostringstream text;
  table.print(text);
  return text.str();
}

Graph load_graph(const AblationOptions& options) {
  Graph graph = options.graph.load();
  if (options.part < 0) return graph;
  const std::vector<IosPart> parts = ios_parts(graph, IosOptions{}.max_part_size);
  if (options.part >= static_cast<int>(parts.size()))
    throw Error("--part " + std::to_string(options.part) + ": '" + graph.name() + "' has " +
                std::to_string(parts.size()) + " parts, numbered from 0");
  return cut_out(graph, {"all", parts[options.part].ops, {}}, graph.name() + "-part" + std::to_string(options.part));
}

void ablation(const AblationOptions& options) {
  StatusLine status;
  const Graph graph = load_graph(options);
  const Precision precision = parse_precision(options.run.precision);
  const std::unique_ptr<Device> device = open_device(options.run.device_options(1, status));
  device->require(1, precision);
  if (options.fresh && !device->measures())
    throw Error("--fresh is for a device that measures; this one is " + device->describe());
  const std::unique_ptr<CostModel> shared = device->costs(graph, precision);

  const std::string file = options.out + "/ablation-" + graph.name() +
                           (graph.batch() > 1 ? "-batch" + std::to_string(graph.batch()) : "") + "-" +
                           to_string(precision);
  const std::string origin = device->describe() + (options.fresh ? kFromEmptyProfile : "");
  std::vector<AblationRow> rows;
  if (!options.out.empty()) rows = load_ablation(file + ".json", origin, graph.name(), to_string(precision));
  if (!rows.empty()) std::cerr << "opsched: " << rows.size() << " rows are in " << file << ".json already\n";

  // With --fresh every search measures into an empty profile of its own, gone with the next.
  ScratchFolder scratch("ablation");
  std::unique_ptr<Device> fresh_device;
  std::unique_ptr<CostModel> fresh_costs;

  AblationSource source;
  source.costs = [&]() -> CostModel& {
    if (!options.fresh) return *shared;
    fresh_costs.reset();
    fresh_device.reset();
    scratch.clear();
    DeviceOptions fresh = options.run.device_options(1, status);
    fresh.profile = scratch.path();
    fresh_device = open_device(fresh);
    fresh_costs = fresh_device->costs(graph, precision);
    return *fresh_costs;
  };
  source.run = [&](const Schedule& schedule) {
    const Timing timing = device->time(*shared, schedule, precision, {}, graph.name() + "/ablation");
    device->save();
    return std::pair(timing.latency.median, timing.how);
  };
  source.progress = interruptible(status);
  source.done = [&](const AblationRow&) {
    if (options.out.empty()) return;
    write_file_atomically(file + ".json", ablation_to_json(origin, graph.name(), to_string(precision), rows));
    write_file_atomically(file + ".txt", origin + "\n" + table_of(rows));
  };
  ios_ablation(options.studies, source, rows);
  status.clear();
  std::cout << origin << "\n" << table_of(rows);
}

}  // namespace

Command ablation_command() {
  return {.name = "ablation",
          .summary = "What each part of the IOS search is worth: pruning, merging, endings, measuring, barriers",
          .examples =
              "  opsched ablation inception_v3                                every study\n"
              "  opsched ablation nasnet --study pruning --out results/h200   one, kept; goes on where it was stopped\n"
              "  opsched ablation nasnet --part 4 --study measuring --fresh   a cell, from an empty profile",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<AblationOptions>();
            options->graph.add_to(app);
            options->run.add_to(app);
            app.add_option("--study", options->studies, "pruning, strategies, enumerations, measuring, barriers")
                ->capture_default_str();
            app.add_option("--part", options->part, "Only this part of the graph (opsched count shows them), from 0");
            app.add_flag("--fresh", options->fresh,
                         "Every search measures into an empty profile, so that its cost counts from nothing");
            app.add_option("--out", options->out,
                           "Folder for ablation-GRAPH-PRECISION.json and .txt, written row by row; rows that are "
                           "there are not made again");
            return [options] { ablation(*options); };
          }};
}

}  // namespace opsched::cli

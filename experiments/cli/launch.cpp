// opsched launch: what choices in launching a schedule as one CUDA graph are worth, and what the graph costs.
#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>

#include "core/statistics.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/console/text_table.hpp"
#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/plan.hpp"
#include "schedulers/dataflow/priorities.hpp"

namespace opsched::cli {
namespace {

struct LaunchOptions {
  GraphOptions graph;
  RunOptions run;
  int rounds = 5;
  double max_seconds = 0.2;
  RecordOptions records;
};

struct Variant {
  std::string choice, name;
  Schedule schedule;
  Waits waits = Waits::needed;
  std::unique_ptr<Executor> executor{};
  Provenance provenance = Provenance::measured;
  std::vector<double> rounds{};  ///< medians, ms
  std::optional<Preparation> preparation{};

  double low() const { return *std::ranges::min_element(rounds); }
  double high() const { return *std::ranges::max_element(rounds); }
  double median() const { return opsched::median(rounds); }
};

int streams_of(const Schedule& schedule) {
  std::size_t streams = 0;
  for (const Stage& stage : schedule.devices.front().stages) streams = std::max(streams, stage.groups.size());
  return static_cast<int>(streams);
}

/// The first is what the others are compared with: they differ from it in one choice.
std::vector<Variant> variants_of(CostModel& costs, bool measures, const Progress& progress) {
  const Graph& graph = costs.graph();
  const auto dataflow = [&](const SchedulerOptions& options) {
    return make_schedule("dataflow", {.cost = costs, .devices = 1, .options = options, .progress = progress});
  };
  const Schedule base = dataflow({});
  std::vector<Variant> variants;
  variants.push_back({"base", "dataflow, 16 streams", base});
  // The same once more: differences below this one's mean nothing.
  if (measures) variants.push_back({"base", "again", base});
  for (const char* streams : {"1", "2", "4", "8", "unlimited"})
    variants.push_back({"streams", streams, dataflow({{"streams", streams}})});
  for (const char* allocation : {"nimble", "chains"})
    variants.push_back({"allocation", allocation, dataflow({{"allocation", allocation}})});
  for (const char* order : {"resource", "topological"})
    variants.push_back({"order", order, dataflow({{"order", order}})});
  if (!measures) return variants;  // the simulator does not see the rest
  const DataflowPlan plan = plan_of(graph, base);
  for (const LaunchKey& rule : launch_keys(costs)) {
    Variant variant{"launch order", rule.name, schedule_of(graph, relaunched(graph, plan, by_unit(plan, rule.key)))};
    if (variant.schedule.launch_order != base.launch_order) variants.push_back(std::move(variant));
  }
  for (const PriorityRule& rule : priority_rules(costs)) {
    variants.push_back({"priority", rule.name, base});
    variants.back().schedule.priority = rule.priority;
  }
  variants.push_back({"waits", "all, not reduced", base, Waits::all});
  return variants;
}

void measure(std::vector<Variant>& variants, Device& device, CostModel& costs, const LaunchOptions& options,
             StatusLine& status) {
  const Progress progress = interruptible(status);
  const Precision precision = parse_precision(options.run.precision);
  if (!device.measures()) {
    for (Variant& v : variants) {
      progress("replaying " + v.choice + " " + v.name);
      v.executor = device.executor(costs, v.schedule, precision, 1);
      const Measurement latency = v.executor->measure({});
      v.rounds = {latency.median};
      v.provenance = latency.provenance;
    }
    return;
  }
  for (Variant& v : variants) {
    progress("capturing " + v.choice + " " + v.name);
    v.executor = device.executor(costs, v.schedule, precision, 1, v.waits);
    v.preparation = v.executor->preparation();
  }
  // In turn, so that what drifts does so for all.
  for (int round = 0; round < options.rounds; ++round)
    for (Variant& v : variants) {
      progress("round " + std::to_string(round + 1) + " of " + std::to_string(options.rounds) + ": " + v.choice + " " +
               v.name);
      MeasureOptions how;
      how.max_seconds = options.max_seconds;
      how.max_noise = 0.002;
      v.rounds.push_back(v.executor->measure(how).median);
    }
}

std::string percent(double part) { return (part >= 0 ? "+" : "") + fixed(100 * part, 1) + "%"; }

void print(const std::vector<Variant>& variants) {
  TextTable table({Align::left, Align::left, Align::right});
  table.add({"choice", "variant", "ms", "from", "lowest", "highest", "to base", "streams", "waits", "nodes",
             "capture, ms", "instantiate, ms", "upload, ms"});
  table.add_rule();
  const double base = variants.front().median();
  for (const Variant& v : variants) {
    std::vector<std::string> row = {v.choice,
                                    v.name,
                                    fixed(v.median(), 4),
                                    to_string(v.provenance),
                                    fixed(v.low(), 4),
                                    fixed(v.high(), 4),
                                    percent(v.median() / base - 1),
                                    std::to_string(streams_of(v.schedule))};
    if (v.preparation) {
      const Preparation& p = *v.preparation;
      for (const std::string& cell : {std::to_string(p.waits), std::to_string(p.nodes), fixed(p.capture_ms, 2),
                                      fixed(p.instantiate_ms, 2), fixed(p.upload_ms, 2)})
        row.push_back(cell);
    } else {
      row.insert(row.end(), 5, "-");
    }
    table.add(row);
  }
  table.print(std::cout);
}

/// The middle of the rounds, and all of them.
bench::Timed timed(const Variant& v, const records::Case& what, CostModel& costs) {
  Measurement latency;
  latency.median = v.median();
  latency.provenance = v.provenance;
  bench::Timed timed = bench::timed(what, costs, {.schedule = v.schedule}, *v.executor, latency);
  records::Record& record = timed.record;
  record.labels = {{"study", "launch"}, {"choice", v.choice}, {"variant", v.name}};
  record.numbers["streams"] = streams_of(v.schedule);
  record.series["rounds_ms"] = v.rounds;
  if (v.preparation) {
    record.numbers["waits"] = v.preparation->waits;
    record.numbers["nodes"] = v.preparation->nodes;
    record.numbers["capture_ms"] = v.preparation->capture_ms;
    record.numbers["instantiate_ms"] = v.preparation->instantiate_ms;
    record.numbers["upload_ms"] = v.preparation->upload_ms;
  }
  return timed;
}

void launch(const LaunchOptions& options, const std::string& command) {
  StatusLine status;
  const Graph graph = options.graph.load();
  const Precision precision = parse_precision(options.run.precision);
  const std::unique_ptr<Device> device = open_device(options.run.device_options(1, status));
  device->require(1, precision);
  const std::unique_ptr<records::RecordFile> file = options.records.open(device->run(command));
  const std::unique_ptr<CostModel> costs = device->costs(graph, precision);
  std::vector<Variant> variants = variants_of(*costs, device->measures(), interruptible(status));
  measure(variants, *device, *costs, options, status);
  device->save();
  status.clear();
  std::cout << device->heading() << "\n";
  print(variants);
  if (!device->measures())
    std::cout << "Launch order, priorities, waits and what the graph costs show on a GPU only.\n";
  if (!file) return;
  const records::Case what{.network = options.graph.name(),
                           .scheduler = "dataflow",
                           .batch = graph.batch(),
                           .image = options.graph.parameters.image,
                           .precision = precision};
  // All of them at once: they were measured in turn and belong together.
  for (const Variant& v : variants) {
    bench::Timed now = timed(v, what, *costs);
    now.record.labels.merge(options.graph.labels());
    file->add(now.record, now.schedule, now.kernels);
  }
  file->finish();
}

}  // namespace

Command launch_command() {
  return {.name = "launch",
          .summary = "What streams, launch order, priorities and fewer waits are worth, and what a CUDA graph costs",
          .examples =
              "  opsched launch nasnet                            every choice by itself, beside plain dataflow\n"
              "  opsched launch nasnet --precision fp16 --out results/h200   kept in its records.jsonl\n"
              "  opsched launch inception_v3 --rounds 10          differences of a percent need more rounds",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<LaunchOptions>();
            options->graph.add_to(app);
            options->run.add_to(app);
            app.add_option("--rounds", options->rounds, "All variants are measured in turn, so many times")
                ->check(CLI::Range(1, 1000))
                ->capture_default_str();
            app.add_option("--max-seconds", options->max_seconds, "Longest measurement of one variant in a round")
                ->check(CLI::Range(0.01, 60.0))
                ->capture_default_str();
            options->records.add_to(app);
            return [options] { launch(*options, command_line()); };
          }};
}

}  // namespace opsched::cli

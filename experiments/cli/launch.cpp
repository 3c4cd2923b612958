// opsched launch: measures the choices in launching a schedule as one CUDA graph, and the cost of preparing the graph.
#include <algorithm>
#include <optional>

#include "core/statistics.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/cli/options.hpp"
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

  void add_to(CLI::App& app) {
    graph.add_to(app);
    run.add_to(app);
    app.add_option("--rounds", rounds, "Number of rounds; all variants are measured in alternation in each")
        ->check(CLI::Range(1, 1000));
    app.add_option("--max-seconds", max_seconds, "Time limit for measuring one variant in one round")
        ->check(CLI::Range(0.01, 60.0));
    records.add_to(app);
  }
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

/// The first variant is the base; every other differs from it in one choice.
std::vector<Variant> variants_of(CostModel& costs, bool measures, const Progress& progress) {
  const Graph& graph = costs.graph();
  const auto dataflow = [&](const SchedulerOptions& options) {
    return make_schedule("dataflow", {.cost = costs, .devices = 1, .options = options, .progress = progress});
  };
  const Schedule base = dataflow({});
  std::vector<Variant> variants;
  variants.push_back({"base", "dataflow, 16 streams", base});
  // The base again: smaller differences than between these two are noise.
  if (measures) variants.push_back({"base", "again", base});
  for (const char* streams : {"1", "2", "4", "8", "unlimited"})
    variants.push_back({"streams", streams, dataflow({{"streams", streams}})});
  for (const char* allocation : {"nimble", "chains"})
    variants.push_back({"allocation", allocation, dataflow({{"allocation", allocation}})});
  for (const char* order : {"resource", "topological"})
    variants.push_back({"order", order, dataflow({{"order", order}})});
  if (!measures) return variants;  // the simulator does not model the rest
  const DataflowPlan plan = plan_of(graph, base);
  for (const LaunchKey& rule : launch_keys(costs)) {
    Variant variant{"launch order", rule.name, schedule_of(graph, relaunched(graph, plan, by_unit(plan, rule.key)))};
    if (variant.schedule.launch_order != base.launch_order) variants.push_back(std::move(variant));
  }
  for (const PriorityRule& rule : priority_rules(costs)) {
    variants.push_back({"priority", rule.name, base});
    variants.back().schedule.priority = rule.priority;
  }
  variants.push_back({"waits", "all, without reduction", base, Waits::all});
  return variants;
}

void measure(std::vector<Variant>& variants, const GraphOnDevice& on, const LaunchOptions& options,
             const Progress& progress) {
  const bool measures = on.device->measures();
  for (Variant& v : variants) {
    progress((measures ? "capturing " : "replaying ") + v.choice + " " + v.name);
    v.executor = on.device->executor(*on.costs, v.schedule, on.precision, 1, v.waits);
    if (measures) {
      v.preparation = v.executor->preparation();
      continue;
    }
    const Measurement latency = v.executor->measure({});
    v.rounds = {latency.median};
    v.provenance = latency.provenance;
  }
  if (!measures) return;
  // Variants take turns, so that drift affects all of them equally.
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
  TextTable latencies({Align::left, Align::left, Align::right},
                      {"choice", "variant", "ms", "from", "lowest", "highest", "to base", "streams"});
  TextTable graphs({Align::left, Align::left, Align::right},
                   {"choice", "variant", "waits", "nodes", "capture, ms", "instantiate, ms", "upload, ms"});
  const double base = variants.front().median();
  bool prepared = false;
  for (const Variant& v : variants) {
    latencies.add({v.choice, v.name, fixed(v.median(), 4), to_string(v.provenance), fixed(v.low(), 4),
                   fixed(v.high(), 4), percent(v.median() / base - 1), std::to_string(streams_of(v.schedule))});
    if (!v.preparation) continue;
    prepared = true;
    const Preparation& p = *v.preparation;
    graphs.add({v.choice, v.name, std::to_string(p.waits), std::to_string(p.nodes), fixed(p.capture_ms, 2),
                fixed(p.instantiate_ms, 2), fixed(p.upload_ms, 2)});
  }
  std::cout << latencies.text();
  if (prepared) std::cout << "\nWhat the CUDA graphs cost before they run\n" << graphs.text();
}

/// The median over the rounds, and every round.
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

void launch(const LaunchOptions& options) {
  StatusLine status;
  const GraphOnDevice on(options.graph.load(), options.run, options.run.device_options(1, status, options.records.out));
  const std::unique_ptr<records::RecordFile> file = options.records.open(*on.device);
  std::vector<Variant> variants = variants_of(*on.costs, on.device->measures(), interruptible(status));
  measure(variants, on, options, interruptible(status));
  on.device->save();
  status.clear();
  std::cout << wrapped(on.device->heading(), "  ") << "\n";
  print(variants);
  if (!on.device->measures())
    std::cout << "Launch order, priorities, waits and the cost of the graph only matter on a GPU;\n"
                 "they are not measured here.\n";
  if (!file) return;
  const records::Case what = options.graph.case_of(on.graph, on.precision, "dataflow");
  // Stored together, because they were measured in turns.
  for (const Variant& v : variants) {
    bench::Timed now = timed(v, what, *on.costs);
    now.record.labels.merge(options.graph.labels());
    file->add(now.record, now.schedule, now.kernels);
  }
  file->finish();
}

}  // namespace

Command launch_command() {
  return {
      .name = "launch",
      .summary =
          "Measure the effect of streams, launch order, priorities and redundant waits, and the cost of a CUDA graph",
      .examples =
          "  opsched launch nasnet                            each choice compared with plain dataflow\n"
          "  opsched launch nasnet --precision fp16 --out results/h200   also store the results\n"
          "  opsched launch inception_v3 --rounds 10          differences of a percent need more rounds",
      .setup = setup_of(launch)};
}

}  // namespace opsched::cli

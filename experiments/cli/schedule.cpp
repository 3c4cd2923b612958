// opsched schedule: finds a schedule and evaluates it.
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/cost/bounds.hpp"
#include "core/files.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/cli/options.hpp"
#include "networks/dag_file.hpp"

namespace opsched::cli {
namespace {

struct ScheduleOptions {
  GraphOptions graph;
  SchedulerChoice scheduler;
  RunOptions run;
  std::string dag, format = "text", output;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--dag", dag, "A DAG with synthetic costs instead of a network, in HIOS's text format");
    scheduler.add_to(app);
    run.add_to(app);
    app.add_option("--format", format, "text (a summary) or json (the schedule)")
        ->check(CLI::IsMember({"text", "json"}));
    app.add_option("-o,--output", output, "Write the schedule to this file");
  }
};

/// A schedule and its evaluation.
struct Outcome {
  Schedule schedule;
  double seconds = 0;  ///< search time
  double ms = 0;       ///< makespan
  std::string source;  ///< where the makespan comes from
  Bounds bounds;
  bool bounds_hold = false;
};

Outcome find(const ScheduleOptions& options, CostModel& costs, StatusLine& status) {
  const auto begin = std::chrono::steady_clock::now();
  const SchedulerRequest request{.cost = costs,
                                 .devices = options.scheduler.gpus,
                                 .options = options.scheduler.options(),
                                 .progress = interruptible(status),
                                 .note = warn};
  Outcome outcome;
  outcome.schedule = make_schedule(options.scheduler.name, request);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  outcome.bounds = lower_bounds(costs, outcome.schedule);
  outcome.bounds_hold = costs.bounds_hold();
  status.clear();
  return outcome;
}

/// HIOS's simulations name operators by number: {"makespan", "lower_bound", "seconds", "devices":
/// [{"stages": [[[op, ...], ...], ...]}]}.
std::string numbered_json(const Graph& graph, const Outcome& outcome) {
  nlohmann::ordered_json devices = nlohmann::ordered_json::array();
  for (const DeviceSchedule& device : outcome.schedule.devices) {
    nlohmann::ordered_json stages = nlohmann::ordered_json::array();
    for (const Stage& stage : device.stages) {
      nlohmann::ordered_json groups = nlohmann::ordered_json::array();
      for (const Group& group : stage.groups) {
        nlohmann::ordered_json& numbers = groups.emplace_back(nlohmann::ordered_json::array());
        for (OpId op : group) numbers.push_back(std::stoi(graph.op(op).name));
      }
      stages.push_back(std::move(groups));
    }
    devices.push_back({{"stages", std::move(stages)}});
  }
  const nlohmann::ordered_json json = {{"makespan", outcome.ms},
                                       {"lower_bound", outcome.bounds.lower()},
                                       {"seconds", outcome.seconds},
                                       {"devices", std::move(devices)}};
  return json.dump() + "\n";
}

void print_summary(std::ostream& out, const Graph& graph, const Outcome& outcome) {
  const Schedule& schedule = outcome.schedule;
  TextTable table({Align::left});
  table.add({"graph", graph.name() + ", batch " + std::to_string(graph.batch()) + ", " +
                          std::to_string(graph.units().size()) + " operators"});
  table.add({"scheduler", schedule.scheduler + ", " + to_string(schedule.mode) + " mode"});
  table.add({"stages", std::to_string(stage_count(schedule)) + " on " + counted(schedule.devices.size(), "device")});
  table.add({"found in", human_seconds(outcome.seconds)});
  table.add({"makespan", fixed(outcome.ms, 4) + " ms, " + outcome.source});
  table.add({bound_name(outcome.bounds_hold), fixed(outcome.bounds.lower(), 4) + " ms (critical path " +
                                                  fixed(outcome.bounds.critical_path, 4) + ", work " +
                                                  fixed(outcome.bounds.work, 4) + ")"});
  table.add({"gap", fixed(100 * outcome.bounds.gap(outcome.ms), 1) + "%"});
  out << table.text();
}

/// Writes the schedule to the file, or to standard output with --format json; otherwise prints a summary.
void present(const ScheduleOptions& options, const Graph& graph, const Outcome& outcome, const std::string& json) {
  if (!options.output.empty()) write_file_atomically(options.output, json);
  if (options.format == "json" && options.output.empty())
    std::cout << json;
  else
    print_summary(std::cout, graph, outcome);
}

void schedule_dag(const ScheduleOptions& options) {
  if (!options.graph.network.empty() || !options.graph.file.empty())
    throw Error("both --dag and a network or --graph; give one of them");
  SyntheticCost costs = synthetic_cost(read_dag(options.dag));
  StatusLine status;
  Outcome outcome = find(options, costs, status);
  outcome.ms = simulate(costs, outcome.schedule).timeline.makespan;
  outcome.source = "from the synthetic costs of " + options.dag;
  present(options, costs.graph(), outcome, numbered_json(costs.graph(), outcome));
}

void schedule_graph(const ScheduleOptions& options) {
  StatusLine status;
  Graph loaded = options.graph.load();
  check_scheduler(options.scheduler.name, options.scheduler.gpus, options.scheduler.options());
  const GraphOnDevice on(std::move(loaded), options.run, options.run.device_options(options.scheduler.gpus, status));
  Outcome outcome = find(options, *on.costs, status);
  records::Case what = options.graph.case_of(on.graph, on.precision, options.scheduler.name);
  what.gpus = options.scheduler.gpus;
  what.options = options.scheduler.options();
  const Measurement latency = time_schedule(*on.device, *on.costs, outcome.schedule, what);
  on.device->save();
  outcome.ms = latency.median;
  outcome.source = to_string(latency.provenance) + "; " + on.device->heading();
  present(options, on.graph, outcome, schedule_to_json(on.graph, outcome.schedule));
}

void schedule(const ScheduleOptions& options) { options.dag.empty() ? schedule_graph(options) : schedule_dag(options); }

}  // namespace

Command schedule_command() {
  return {.name = "schedule",
          .summary = "Find a schedule and report its latency",
          .examples =
              "  opsched schedule squeezenet --scheduler wavefront                  print its latency\n"
              "  opsched schedule nasnet --scheduler greedy --precision fp16 -o s.json   store it for opsched run\n"
              "  opsched schedule --graph my.json --scheduler dataflow --batch 16   your own graph\n"
              "  opsched schedule inception_v3 --scheduler ios-both --opt r=2       with a scheduler option\n"
              "  opsched schedule --dag random.txt --scheduler hios-lp --gpus 4 --format json  a DAG of HIOS",
          .setup = setup_of(schedule)};
}

}  // namespace opsched::cli

// opsched run: executes a schedule from a file, checks its outputs and measures its latency.
#include <cmath>
#include <optional>

#include "core/cost/bounds.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/distributed/distributed_executor.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/bench/protocols.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/device/check_outputs.hpp"

namespace opsched::cli {
namespace {

struct RunCommandOptions {
  GraphOptions graph;
  RunOptions run;
  std::string schedule;
  std::uint64_t data_seed = 1;
  bool no_check = false;
  std::vector<std::string> protocols;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--schedule", schedule, "The schedule file (from opsched schedule -o)")->required();
    run.add_to(app);
    app.get_option("--device")->description("gpu, sim (replay a profile), cpu (numerics only) or auto");
    app.add_option("--data-seed", data_seed, "Seed of the weights and the input");
    app.add_option("--measure", protocols, bench::protocols_help())->delimiter(',');
    app.add_flag("--no-check", no_check, "Do not compare operator outputs with the reference");
  }
};

void add_protocols(TextTable& table, const std::vector<Protocol>& protocols, const records::Case& what,
                   Executor& executor, const std::string& where) {
  for (const Protocol& protocol : protocols) {
    check_interrupt();
    table.add({protocol.name(), bench::protocol_text(bench::measure_by(protocol, what, executor)) + where});
  }
}

void add_latency(TextTable& table, Device& device, const Graph& graph, const Schedule& schedule, Precision precision,
                 const std::vector<Protocol>& protocols) {
  const int gpus = static_cast<int>(schedule.devices.size());
  device.require(gpus, precision);
  const std::unique_ptr<CostModel> costs = device.costs(graph, precision);
  const std::unique_ptr<Executor> executor = device.executor(*costs, schedule, precision, 1);
  const Measurement latency = executor->measure({});
  const records::Case what{.network = graph.name(),
                           .scheduler = schedule.scheduler,
                           .batch = graph.batch(),
                           .precision = precision,
                           .gpus = gpus};
  device.keep(*costs, schedule, what, latency);
  std::string text = fixed(latency.median, 4) + " ms, " + to_string(latency.provenance) + "; " + device.heading();
  if (latency.max > latency.min)
    text += "; " + std::to_string(latency.runs) + " runs, " + fixed(latency.min, 4) + " to " + fixed(latency.max, 4) +
            ", p99 " + fixed(latency.p99, 4);
  table.add({"latency", text});
  table.add({"throughput", fixed(1000.0 * graph.batch() / latency.median, 1) + " images per second"});
  if (latency.sm_clock_mhz > 0)
    table.add({"clocks", "SM " + std::to_string(latency.sm_clock_mhz) + " MHz, memory " +
                             std::to_string(latency.memory_clock_mhz) + " MHz" +
                             (latency.throttled ? ", THROTTLED" : "")});
  const Bounds bounds = lower_bounds(*costs, schedule);
  const double gap = 100 * bounds.gap(latency.median);
  table.add({bound_name(costs->bounds_hold()), fixed(bounds.lower(), 4) + " ms; the latency is " +
                                                   fixed(std::abs(gap), 1) + "% " + (gap < 0 ? "below" : "above") +
                                                   " it"});
  add_protocols(table, protocols, what, *executor, "");
  table.add({"activations", human_bytes(static_cast<double>(peak_bytes(*executor, gpus))) + " at most on one device"});
  device.save();
}

/// Executes a schedule on the CPUs of all processes.
class CpuProcesses {
 public:
  explicit CpuProcesses(ProcessGroup& processes) : processes_(processes), parts_(make_cpu_parts(processes)) {}

  std::unique_ptr<Executor> executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed) {
    return make_distributed_executor(
        processes_, *parts_,
        {.back_end = parts_->name(),
         .graph = graph,
         .schedule = schedule,
         .seed = seed,
         .process_of = spread_devices(static_cast<int>(schedule.devices.size()), processes_.size())});
  }

 private:
  ProcessGroup& processes_;
  std::unique_ptr<PartRuntime> parts_;
};

/// This latency is not recorded: it shows the cooperation of processes, not the speed of a GPU.
void add_rounds(TextTable& table, CpuProcesses& cpus, const Graph& graph, const Schedule& schedule) {
  const Measurement rounds = cpus.executor(graph, schedule, 1)->measure({.warmup = 1, .min_runs = 5, .max_runs = 50});
  table.add({"round", fixed(rounds.median, 3) +
                          " ms on the CPU, from a common start to the end of the slowest process; " +
                          std::to_string(rounds.runs) + " runs, " + rounds.note});
}

void run_schedule(const RunCommandOptions& options, ProcessGroup& processes) {
  StatusLine status;
  const std::vector<Protocol> protocols = bench::parse_protocols(options.protocols);
  const Graph graph = options.graph.load();
  const Schedule schedule = load_schedule(options.schedule, graph);
  const Precision precision = parse_precision(options.run.precision);
  const int gpus = static_cast<int>(schedule.devices.size());
  spread_devices(gpus, processes.size());  // checked first

  TextTable table({Align::left});
  table.add({"graph", graph.name() + ", batch " + std::to_string(graph.batch())});
  table.add({"schedule", schedule.scheduler + ", " + to_string(schedule.mode) + " mode, " +
                             std::to_string(stage_count(schedule)) + " stages on " + counted(gpus, "device")});

  std::unique_ptr<Device> device;
  const bool nothing_recorded = options.run.device.profile.empty() && !has_gpu() && recorded_folders().empty();
  if (options.run.device.kind != "cpu" && !(options.run.device.kind == "auto" && nothing_recorded))
    device = open_device(options.run.device_options(gpus, status, processes));
  std::optional<CpuProcesses> cpus;
  if (processes.size() > 1 && !(device && device->measures())) cpus.emplace(processes);
  if (device) add_latency(table, *device, graph, schedule, precision, protocols);
  if (!device && !cpus && !protocols.empty())
    add_protocols(table, protocols, {.network = graph.name(), .scheduler = schedule.scheduler, .batch = graph.batch()},
                  *make_cpu_executor(graph, schedule, options.data_seed), ", on the CPU in fp32");
  if (cpus && options.run.device.kind != "sim") add_rounds(table, *cpus, graph, schedule);
  if (!options.no_check && options.run.device.kind != "sim") {
    check_interrupt();
    status.show("computing the reference");
    const bool on_gpu = device && device->measures();
    const RunOnce on_cpus = [&](const Graph& g, const Schedule& s, std::uint64_t seed, const auto& inputs) {
      return cpus->executor(g, s, seed)->run(inputs);
    };
    const OutputCheck check =
        cpus ? check_outputs(graph, schedule, on_cpus, Precision::fp32, options.data_seed, check_interrupt)
             : check_outputs(graph, schedule, on_gpu ? device.get() : nullptr, precision, options.data_seed,
                             check_interrupt);
    table.add({"output", "relative error " + significant(check.outputs, 2) + " compared with the reference, computed " +
                             (on_gpu ? "on the GPU in " + to_string(precision) : "on the CPU in fp32") +
                             (processes.size() > 1 ? " by " + std::to_string(processes.size()) + " processes" : "")});
    table.add({"operators", check.operators_text()});
    if (!check.remark.empty()) table.add({"note", check.remark});
  }
  status.clear();
  std::cout << table.text();
}

}  // namespace

Command run_command() {
  return {.name = "run",
          .summary = "Execute a schedule: measure its latency and check its outputs",
          .examples =
              "  opsched run squeezenet --schedule s.json                  on the GPU, or on CPU and simulator\n"
              "  opsched run squeezenet --schedule s.json --precision fp16\n"
              "  opsched run --graph my.json --schedule s.json --device cpu   outputs only, one thread per stream\n"
              "  opsched run nasnet --batch 32 --schedule s.json --no-check   latency only\n"
              "  opsched run squeezenet --schedule s.json --measure replays,lone,cold,in-flight=2,energy",
          .setup = setup_of(run_schedule)};
}

}  // namespace opsched::cli

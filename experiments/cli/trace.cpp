// opsched trace: writes a timeline for Perfetto, and as a picture.
#include <algorithm>

#include "core/files.hpp"
#include "core/runtime/trace/explain.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

struct TraceOptions {
  GraphOptions graph;
  ScheduleChoice schedule;
  RunOptions run;
  std::string output, gantt;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    schedule.add_to(app);
    run.add_to(app);
    app.add_option("-o,--output", output, "File for the trace, in Chrome's trace event format (JSON)");
    app.add_option("--gantt", gantt, "File for a Gantt chart (SVG)");
  }
};

/// Summarises what ran, and how much of it in parallel.
void add_summary(TextTable& table, const Trace& trace) {
  double busy = 0;
  int operators = 0, transfers = 0;
  for (const TraceEvent& e : trace.events) {
    if (e.kind == TraceEvent::Kind::transfer) ++transfers;
    if (e.kind != TraceEvent::Kind::compute) continue;
    ++operators;
    busy += e.end - e.start;
  }
  const bool kernels = std::ranges::any_of(trace.events, [](const TraceEvent& e) { return !e.kernel.empty(); });
  table.add({kernels ? "kernels" : "operators",
             std::to_string(operators) + ", " + fixed(busy / trace.makespan, 2) + " running at a time on average"});
  if (transfers > 0) table.add({"transfers", std::to_string(transfers)});
}

void trace(const TraceOptions& options) {
  if (options.output.empty() && options.gantt.empty())
    throw Error("no output given: use -o trace.json (for ui.perfetto.dev), --gantt chart.svg, or both");
  StatusLine status;
  Graph loaded = options.graph.load();
  const ScheduleChoice::Request request = options.schedule.request(loaded);
  const GraphOnDevice on(std::move(loaded), options.run, options.run.device_options(request.gpus, status));
  const Schedule schedule = options.schedule.find(*on.costs, request, interruptible(status));
  const std::unique_ptr<Executor> executor = on.device->executor(*on.costs, schedule, on.precision, 1);
  status.show("measuring");
  const Measurement latency = executor->measure({});
  check_interrupt();
  Trace trace = executor->trace();
  trace.precision = to_string(on.precision);
  trace.source += "; " + on.device->heading();
  const ScheduledCosts solo(*on.costs, schedule);
  explain(trace, on.graph, schedule, [&](OpId op) { return solo->operator_ms(op); });
  if (!options.output.empty()) write_file_atomically(options.output, trace_to_json(trace));
  if (!options.gantt.empty()) write_file_atomically(options.gantt, trace_to_svg(trace));
  on.device->save();
  status.clear();

  TextTable table({Align::left});
  table.add(
      {"graph", on.graph.name() + ", batch " + std::to_string(on.graph.batch()) + ", " + to_string(on.precision)});
  table.add({"schedule", schedule.scheduler + ", " + to_string(schedule.mode) + " mode"});
  table.add({"trace", fixed(trace.makespan, 4) + " ms, " + trace.source});
  table.add({"latency", fixed(latency.median, 4) + " ms without tracing, " + to_string(latency.provenance)});
  add_summary(table, trace);
  if (!options.output.empty()) table.add({"written", options.output + " (open it in ui.perfetto.dev)"});
  if (!options.gantt.empty()) table.add({options.output.empty() ? "written" : "", options.gantt});
  std::cout << table.text();
}

}  // namespace

Command trace_command() {
  return {.name = "trace",
          .summary = "Write a timeline of a schedule for Perfetto, and a Gantt chart",
          .examples =
              "  opsched trace squeezenet --scheduler wavefront -o trace.json    measured on the GPU, or simulated\n"
              "  opsched trace inception_v3 --schedule s.json --gantt s.svg      a Gantt chart of a schedule\n"
              "  opsched trace nasnet --scheduler hios-lp --gpus 4 --device sim --profile results/h200-x4 -o t.json\n"
              "Open trace.json in https://ui.perfetto.dev or chrome://tracing. Each device is a process, and each\n"
              "stream a row. On a GPU, CUPTI records every kernel and copy of one replay, and kernels are named\n"
              "after their operator and stage. For Nsight Systems:\n"
              "  nsys profile --cuda-graph-trace=node opsched ...",
          .setup = setup_of(trace)};
}

}  // namespace opsched::cli

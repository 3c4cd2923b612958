// opsched optimize: finds the best schedule of a model.
#include "experiments/studies/optimize.hpp"

#include <algorithm>

#include "core/files.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/device/check_outputs.hpp"

namespace opsched::cli {
namespace {

struct OptimizeCommandOptions {
  GraphOptions graph;
  RunOptions run;
  RecordOptions records;
  bench::OptimizeOptions optimize;
  std::string output;
  bool no_check = false;

  void add_to(CLI::App& app) {
    for (const SchedulerInfo& s : schedulers()) optimize.schedulers.push_back(s.name);
    graph.add_to(app);
    run.add_to(app);
    app.add_option("--scheduler", optimize.schedulers, "Only these schedulers (opsched list schedulers)")
        ->delimiter(',')
        ->default_str("all");
    app.add_option("--gpus", optimize.gpus, "Number of GPUs that a schedule may use")->check(CLI::Range(1, 1 << 10));
    app.add_option("--budget", optimize.budget_seconds, "Time limit for all searches, seconds")
        ->check(CLI::Range(0.0, 1e6));
    app.add_option("-o,--output", output, "Write the best schedule to this file");
    app.add_flag("--no-check", no_check, "Do not compare the outputs of the best schedule with the reference");
    records.add_to(app);
  }
};

/// A sentence on whether the best schedule's outputs are correct.
std::string checked(Device& device, CostModel& costs, const Schedule& schedule, Precision precision) {
  if (!device.measures()) return "not checked: outputs are computed only on a GPU";
  const OutputCheck check = check_outputs(costs.graph(), schedule, &device, precision, 1, [] { check_interrupt(); });
  return "relative error " + significant(check.outputs, 2) + " against the reference; " + check.operators_text() +
         (check.remark.empty() ? "" : "\n" + check.remark);
}

void print_attempts(const std::vector<bench::Attempt>& attempts) {
  const double sequential = *attempts.front().timed.record.value;
  TextTable table({Align::left}, {"scheduler", "ms", "speed-up", "bound ms", "found in", ""});
  for (const bench::Attempt& c : attempts) {
    const records::Record& record = c.timed.record;
    if (!record.missing.empty()) continue;
    std::string remark = record.what.gpus > 1 ? std::to_string(record.what.gpus) + " GPUs" : "";
    if (c.stopped) remark += (remark.empty() ? "" : ", ") + std::string("stopped early");
    if (!c.same_as.empty()) remark += (remark.empty() ? "" : ", ") + ("the same as " + c.same_as);
    table.add({record.what.scheduler, fixed(*record.value, 4), fixed(sequential / *record.value, 2) + "x",
               fixed(c.bound_ms, 4), human_seconds(record.number_or("search_seconds", 0)), remark});
  }
  std::cout << "\n" << table.text();
  for (const bench::Attempt& c : attempts) {
    const std::string& scheduler = c.timed.record.what.scheduler;
    for (const std::string& note : c.notes) std::cout << wrapped(scheduler + ": " + note, "  ") << "\n";
    if (const std::string& why = c.timed.record.missing; !why.empty())
      std::cout << wrapped(scheduler + ": no schedule: " + why, "  ") << "\n";
  }
}

/// Prints the speed-up, and where the remaining time goes.
void print_best(const bench::Attempt& first, const bench::Attempt& best, const Device& device) {
  const double ms = *best.timed.record.value, sequential = *first.timed.record.value;
  std::cout << "\n"
            << wrapped("best: " + best.timed.record.what.scheduler + ", " + fixed(ms, 4) + " ms, " +
                           fixed(sequential / ms, 2) + " times as fast as sequential; " +
                           fixed(100 * (ms / best.bound_ms - 1), 0) + "% above the lower bound of its operators (" +
                           fixed(best.bound_ms, 4) + " ms)",
                       "  ")
            << "\n";
  if (!device.measures())
    std::cout << wrapped("Nothing was measured: " + to_string(best.timed.record.provenance) +
                         " latencies. Differences of a few percent are not reliable (opsched fit shows the error).")
              << "\n";
}

void run_optimize(const OptimizeCommandOptions& options) {
  StatusLine status;
  for (const std::string& name : options.optimize.schedulers) find_scheduler(name);
  Graph graph = options.graph.load();
  const GraphOnDevice on(std::move(graph), options.run,
                         options.run.device_options(options.optimize.gpus, status, options.records.out));
  const std::unique_ptr<records::RecordFile> file = options.records.open(*on.device);
  std::cout << wrapped(on.graph.name() + ", batch " + std::to_string(on.graph.batch()) + ", " +
                           std::to_string(on.graph.units().size()) + " operators, " + to_string(on.precision) + "; " +
                           on.device->heading(),
                       "  ")
            << std::endl;
  const std::vector<bench::Attempt> attempts =
      bench::optimize(*on.device, *on.costs, options.graph.case_of(on.graph, on.precision, "sequential"),
                      options.optimize, interruptible(status));
  on.device->save();
  const bench::Attempt& best = *std::ranges::min_element(
      attempts, {}, [](const bench::Attempt& c) { return c.timed.record.value.value_or(HUGE_VAL); });
  if (file) {
    for (const bench::Attempt& c : attempts)
      if (c.timed.record.missing.empty()) file->add(c.timed.record, c.timed.schedule, c.timed.kernels);
    file->finish();
  }
  status.show("comparing with the reference");
  const std::string check = options.no_check ? "" : checked(*on.device, *on.costs, best.timed.schedule, on.precision);
  status.clear();
  print_attempts(attempts);
  print_best(attempts.front(), best, *on.device);
  if (!check.empty()) std::cout << "output: " << check << "\n";
  if (options.output.empty()) return;
  write_file_atomically(options.output, schedule_to_json(on.graph, best.timed.schedule));
  std::cout << "kept in " << options.output << "; run it with opsched run --schedule\n";
}

}  // namespace

Command optimize_command() {
  return {.name = "optimize",
          .summary = "Try every scheduler on a model and store the best schedule",
          .examples =
              "  opsched optimize --graph model.onnx -o best.json           on the GPU, about a minute\n"
              "  opsched optimize nasnet --precision fp16 --budget 300      longer searches\n"
              "  opsched optimize nasnet --image 1024 --gpus 2              one or two GPUs\n"
              "  opsched optimize --graph model.onnx --device sim           without a GPU, on recorded costs\n"
              "Fast schedulers run first. The best candidates are measured again in alternation.",
          .setup = setup_of(run_optimize)};
}

}  // namespace opsched::cli

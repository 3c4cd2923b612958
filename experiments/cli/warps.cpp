// opsched warps: how many warps a schedule keeps active over time (IOS, figure 3).
#include "core/cost/signature/signature.hpp"
#include "core/runtime/trace/active_warps.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

constexpr int kSamples = 500;

struct WarpOptions {
  GraphOptions graph;
  RunOptions run;
  RecordOptions records;
  std::vector<std::string> schedulers = {"sequential", "ios-both"};
  bool counters = false;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--schedulers", schedulers, "Schedulers to compare, as in a,b")->delimiter(',');
    run.add_to(app);
    app.add_flag("--counters", counters,
                 "Count warps with hardware counters (CUPTI PM sampling; the driver must allow it)");
    records.add_to(app);
  }
};

/// Active warps of one traced run, or of one whose warps the hardware counted.
records::Record count_warps(Executor& executor, bool counters) {
  const Trace trace = executor.trace();
  const std::vector<WarpSample> curve = counters ? executor.count_warps() : active_warps(trace, 0);
  records::Record record{.quantity = "active_warps", .value = mean_warps(curve)};
  record.numbers = {{"makespan_ms", counters ? curve.back().t_ms : trace.makespan},
                    {"multiprocessors", trace.multiprocessors},
                    {"max_warps_per_sm", trace.max_warps_per_sm}};
  record.texts = {{"method", counters ? "hardware counter, sampled every microsecond of one replay"
                                      : "derived from activity records: " + trace.source}};
  for (const WarpSample& sample : resampled(curve, kSamples)) {
    record.series["at_ms"].push_back(sample.t_ms);
    record.series["active_warps"].push_back(sample.warps_per_sm);
  }
  return record;
}

void print_warps(const std::vector<records::Record>& rows) {
  TextTable table({Align::left, Align::right},
                  {"schedule", "mean warps", "of " + rows.front().what.scheduler, "traced ms"});
  for (const records::Record& row : rows)
    table.add({row.what.scheduler, fixed(*row.value, 2), fixed(*row.value / *rows.front().value, 2) + "x",
               fixed(row.number("makespan_ms"), 4)});
  std::cout << table.text();
}

void warps(WarpOptions& options) {
  StatusLine status;
  for (const std::string& name : options.schedulers) check_scheduler(name, 1, {});
  if (options.run.device.kind == "sim" || !has_gpu())
    throw Error("active warps are measured on a GPU, and none is in use: a profile contains latencies, not warps");
  const GraphOnDevice on(options.graph.load(), options.run, options.run.device_options(1, status, options.records.out));
  if (options.records.out.empty()) options.records.out = "results/" + on.device->name();
  const std::unique_ptr<records::RecordFile> file = options.records.open(*on.device);
  std::vector<records::Record> rows;
  for (const std::string& name : options.schedulers) {
    const Schedule schedule =
        make_schedule(name, {.cost = *on.costs, .devices = 1, .options = {}, .progress = interruptible(status)});
    status.show(name + ": tracing");
    check_interrupt();
    const std::unique_ptr<Executor> executor = on.device->executor(*on.costs, schedule, on.precision, 1);
    records::Record& record = rows.emplace_back(count_warps(*executor, options.counters));
    record.what = options.graph.case_of(on.graph, on.precision, name);
    record.labels = options.graph.labels();
    record.graph = fingerprint(on.graph);
    record.schedule = fingerprint(schedule);
    file->add(record, schedule);
  }
  on.device->save();
  file->finish();
  status.clear();
  std::cout << wrapped(on.graph.name() + ", batch " + std::to_string(on.graph.batch()) + ", " +
                           to_string(on.precision) + "; " + on.device->heading(),
                       "  ")
            << "\n"
            << wrapped("Active warps on a multiprocessor, of at most " +
                       fixed(rows.front().number("max_warps_per_sm"), 0) + ", " + rows.front().texts.at("method"))
            << "\n";
  print_warps(rows);
  std::cout << "written: " << records::records_file(options.records.out) << "\n";
}

}  // namespace

Command warps_command() {
  return {.name = "warps",
          .summary = "Record the active warps of schedules over time, on a GPU (IOS, figure 3)",
          .examples =
              "  opsched warps inception_v3 --block e2                 a sample block: sequential and IOS\n"
              "  opsched warps inception_v3 --out results/mygpu        the whole network, stored in a folder\n"
              "  opsched warps nasnet --schedulers sequential,dataflow --precision fp16\n"
              "  opsched warps inception_v3 --block e2 --counters      hardware counters (CUDA 12.6)\n"
              "By default, warps are derived from CUPTI's records of kernels: the interval of each kernel, and how\n"
              "many of its blocks fit on a multiprocessor. Results go into FOLDER/records.jsonl.",
          .setup = setup_of(warps)};
}

}  // namespace opsched::cli

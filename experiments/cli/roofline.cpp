// opsched roofline: how far a schedule is from the limits of the device, and why.
#include <algorithm>

#include "experiments/bench/runner.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/roofline.hpp"

namespace opsched::cli {
namespace {

using records::Record;

struct RooflineOptions {
  CaseOptions cases{.selection = {.schedulers = {"dataflow"}}};
  DeviceOptions device;
  RecordOptions records;

  void add_to(CLI::App& app) {
    cases.add_to(app);
    app.get_option("--scheduler")->description("Schedulers, as in a,b");
    add_device(app, device);
    records.add_to(app);
  }
};

bench::Timed measure(Device& device, bench::Runner& runner, const bench::Case& what, const DeviceLimits& limits) {
  const bench::Found found = runner.find(what);
  bench::Timed timed = runner.time(what, found);
  CostModel& costs = runner.costs(what);
  const Roofline bounds = roofline(costs, what.precision, limits);
  timed.record.quantity = "roofline";
  timed.record.numbers = {{"critical_path_ms", bounds.critical_path},
                          {"arithmetic_ms", bounds.arithmetic},
                          {"memory_ms", bounds.memory},
                          {"macs_per_ms", limits.macs_per_ms},
                          {"bytes_per_ms", limits.bytes_per_ms}};
  if (!device.measures()) return timed;
  const Trace trace = device.executor(costs, found.schedule, what.precision, 1)->trace();
  const TimeSpent spent = time_spent(trace, device.facts().multiprocessors);
  timed.record.numbers.insert({{"traced_ms", trace.makespan},
                               {"kernels", spent.kernels},
                               {"idle_ms", spent.idle},
                               {"small_ms", spent.small},
                               {"full_ms", spent.full}});
  return timed;
}

void print_roofline(const std::vector<Record>& rows) {
  TextTable table({Align::left, Align::left, Align::right},
                  {"network", "", "batch", "ms", "from", "critical path", "arithmetic", "memory", "of the largest",
                   "kernels", "idle", "small grids", "full"});
  for (const Record& r : rows) {
    const auto number = [&](const char* name, int digits) {
      const auto it = r.numbers.find(name);
      return it == r.numbers.end() ? "-" : fixed(it->second, digits);
    };
    const double largest = std::max({r.number("critical_path_ms"), r.number("arithmetic_ms"), r.number("memory_ms")});
    table.add({r.what.network, to_string(r.what.precision), std::to_string(r.what.batch), fixed(*r.value, 3),
               to_string(r.provenance), number("critical_path_ms", 3), number("arithmetic_ms", 3),
               number("memory_ms", 3), fixed(*r.value / largest, 2) + "x", number("kernels", 0), number("idle_ms", 3),
               number("small_ms", 3), number("full_ms", 3)});
  }
  std::cout << table.text();
  std::cout << "\nms: latency of the schedule. critical path: longest chain of solo latencies. arithmetic and memory:\n"
               "all multiply-accumulates, and reading weights and inputs and writing outputs once, at the rates\n"
               "measured on one large convolution and one large sum. idle, small grids, full: parts of one traced\n"
               "run in which no kernel ran, in which all running kernels had fewer blocks than there are\n"
               "multiprocessors, and the rest.\n";
}

struct Rooflines {
  std::vector<Record> rows;
  int not_recorded = 0;  ///< number of cases without a record, if nothing is measured
  std::string why;       ///< the reason for one of them
};

/// Without a GPU: recorded results, and what can be computed from the profile.
Rooflines rooflines(Device& device, const std::vector<bench::Case>& cases, records::RecordFile* file,
                    const Report& report) {
  const bench::ScheduleStore store("");
  bench::Runner runner(device, store, {}, report);
  const records::Records recorded =
      device.measures() ? records::Records() : records::Records::read(device.profile_folder());
  Rooflines found;
  std::map<Precision, DeviceLimits> limits;
  for (const bench::Case& what : cases) try {
      report(what.name());
      const std::string key = Record{.what = what, .quantity = "roofline"}.key();
      const Record* known = file ? file->made(key) : nullptr;
      if (known == nullptr) known = recorded.find(key);
      if (known != nullptr && known->value) {
        found.rows.push_back(*known);
        continue;
      }
      if (!limits.contains(what.precision)) limits[what.precision] = measure_limits(device, what.precision);
      const bench::Timed timed = measure(device, runner, what, limits.at(what.precision));
      found.rows.push_back(timed.record);
      if (file) file->add(timed.record, timed.schedule, timed.kernels);
    } catch (const Error& e) {
      if (device.measures()) throw;
      ++found.not_recorded;
      found.why = e.what();
    }
  if (found.rows.empty()) throw Error(found.why);
  return found;
}

void run_roofline(RooflineOptions& options) {
  StatusLine status;
  const auto report = interruptible(status);
  options.device.results = options.records.out;
  options.device.report = report;
  const std::vector<bench::Case> cases = options.cases.cases();
  const std::unique_ptr<Device> device = open_device(options.device);
  const std::unique_ptr<records::RecordFile> file = options.records.open(*device);
  const Rooflines found = rooflines(*device, cases, file.get(), report);
  device->save();
  if (file) file->finish();
  status.clear();
  std::cout << wrapped(device->heading(), "  ") << "\n\n";
  print_roofline(found.rows);
  if (found.not_recorded > 0)
    std::cout << "\n"
              << wrapped(counted(static_cast<std::size_t>(found.not_recorded), "case") + " left out: " + found.why)
              << "\n";
}

}  // namespace

Command roofline_command() {
  return {.name = "roofline",
          .summary = "Report how far schedules are from the roofline, and where the time goes",
          .examples =
              "  opsched roofline                                       all networks, dataflow, batch 1\n"
              "  opsched roofline --network nasnet --precision fp16 --batch 1,16\n"
              "  opsched roofline --out results/mygpu                   also store the results in records.jsonl\n"
              "Without a GPU it shows recorded results.",
          .setup = setup_of(run_roofline)};
}

}  // namespace opsched::cli

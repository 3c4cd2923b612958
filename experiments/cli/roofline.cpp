// opsched floors: how far a schedule is from what the device allows, and why.
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/studies/roofline.hpp"

namespace opsched::cli {
namespace {

using nlohmann::ordered_json;

struct FloorsOptions {
  bench::Selection selection{.schedulers = {"dataflow"}};
  std::string device = "auto", profile, out;
};

ordered_json row_of(Device& device, bench::Runner& runner, const bench::Case& what, const DeviceLimits& limits) {
  const bench::Found found = runner.find(what);
  const bench::Result latency = runner.time(what, found);
  CostModel& costs = runner.costs(what);
  const Floors floor = floors(costs, what.precision, limits);
  ordered_json row = {{"network", what.network},
                      {"precision", to_string(what.precision)},
                      {"batch", what.batch},
                      {"image", what.image},
                      {"scheduler", what.scheduler},
                      {"ms", latency.ms},
                      {"how", latency.how},
                      {"critical_path_ms", floor.critical_path},
                      {"arithmetic_ms", floor.arithmetic},
                      {"memory_ms", floor.memory}};
  if (!device.measures()) return row;
  const Trace trace = device.executor(costs, found.schedule, what.precision, 1)->trace();
  const TimeSpent spent = time_spent(trace, device.multiprocessors());
  row.update({{"traced_ms", trace.makespan},
              {"kernels", spent.kernels},
              {"idle_ms", spent.idle},
              {"small_ms", spent.small},
              {"full_ms", spent.full}});
  return row;
}

void print(const ordered_json& rows) {
  TextTable table({Align::left, Align::left, Align::right});
  table.add({"network", "", "batch", "ms", "critical path", "arithmetic", "memory", "of the largest", "kernels", "idle",
             "small grids", "full"});
  table.add_rule();
  for (const ordered_json& r : rows) {
    const auto ms = [&](const char* key) { return r.contains(key) ? fixed(r.at(key).get<double>(), 3) : "-"; };
    const double largest = std::max(
        {r.at("critical_path_ms").get<double>(), r.at("arithmetic_ms").get<double>(), r.at("memory_ms").get<double>()});
    table.add({r.at("network"), r.at("precision"), std::to_string(r.at("batch").get<int>()), ms("ms"),
               ms("critical_path_ms"), ms("arithmetic_ms"), ms("memory_ms"),
               fixed(r.at("ms").get<double>() / largest, 2) + "x",
               r.contains("kernels") ? std::to_string(r.at("kernels").get<int>()) : "-", ms("idle_ms"), ms("small_ms"),
               ms("full_ms")});
  }
  table.print(std::cout);
  std::cout
      << "\nms: latency of the schedule. critical path: longest chain of solo latencies; arithmetic and memory: all\n"
         "multiply-accumulates, and weights, inputs and outputs once, at what the device reached on one large\n"
         "convolution and one large sum. idle, small grids, full: parts of one traced run in which no kernel\n"
         "ran, those that ran had fewer blocks than there are multiprocessors, and the rest.\n";
}

void run(FloorsOptions& options) {
  StatusLine status;
  const auto report = interruptible(status);
  const std::unique_ptr<Device> device =
      open_device({.kind = options.device, .profile = options.profile, .gpus = 1, .report = report});
  const bench::ScheduleStore store("");
  bench::Runner runner(*device, store, {}, report);
  ordered_json file = {{"format", "opsched floors"}, {"origin", device->describe()}};
  ordered_json& limits_json = file["limits"] = ordered_json::object();
  ordered_json rows = ordered_json::array();
  std::map<Precision, DeviceLimits> limits;
  for (const bench::Case& what : bench::make_cases(options.selection)) {
    report(what.name());
    if (!limits.contains(what.precision)) {
      const DeviceLimits found = limits[what.precision] = measure_limits(*device, what.precision);
      limits_json[to_string(what.precision)] = {{"macs_per_ms", found.macs_per_ms},
                                                {"bytes_per_ms", found.bytes_per_ms}};
    }
    rows.push_back(row_of(*device, runner, what, limits.at(what.precision)));
  }
  device->save();
  status.clear();
  std::cout << device->describe() << "\n\n";
  print(rows);
  file["rows"] = std::move(rows);
  if (!options.out.empty())
    write_file_atomically((std::filesystem::path(options.out) / "floors.json").string(), file.dump(1) + "\n");
}

}  // namespace

Command floors_command() {
  return {.name = "floors",
          .summary = "How far schedules are from what the device allows at best, and where the time goes",
          .examples =
              "  opsched floors                                         all networks, dataflow, batch 1\n"
              "  opsched floors --network nasnet --precision fp16 --batch 1,16\n"
              "  opsched floors --out results/mygpu                     also into results/mygpu/floors.json",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<FloorsOptions>();
            bench::Selection& selection = options->selection;
            app.add_option("--network", selection.networks, "Networks, as in a,b (default: all)")->delimiter(',');
            app.add_option("--scheduler", selection.schedulers, "Schedulers, as in a,b")->delimiter(',');
            app.add_option("--batch", selection.batches, "Batches, as in 1,16 (default: 1)")->delimiter(',');
            app.add_option("--image", selection.images, "Image sizes; 0: the network's own")->delimiter(',');
            app.add_option("--precision", selection.precisions, "fp32, tf32, fp16, as in a,b (default: all)")
                ->delimiter(',');
            app.add_option("--device", options->device, "gpu, sim (replay a profile) or auto")->capture_default_str();
            app.add_option("--profile", options->profile, "Folder of the profile to replay, or to measure into");
            app.add_option("--out", options->out, "Also write floors.json into this folder");
            return [options] { run(*options); };
          }};
}

}  // namespace opsched::cli

// opsched compare: two results folders side by side.
#include <algorithm>
#include <map>

#include "experiments/bench/cases.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/studies/compare.hpp"

namespace opsched::cli {
namespace {

using namespace compare;

struct CompareOptions {
  std::string a, b, format = "text", device = "auto";
  std::vector<std::string> graphs;
  bool no_schedules = false;

  void add_to(CLI::App& app) {
    app.add_option("A", a, "A results folder (with records.jsonl)")->required();
    app.add_option("B", b, "Another one")->required();
    app.add_option("--format", format, "text or json")->check(CLI::IsMember({"text", "json"}));
    app.add_option("--device", device, "Where to run A's schedules on B's device: gpu, sim or auto")
        ->check(CLI::IsMember({"auto", "gpu", "sim"}));
    app.add_option("--graph", graphs,
                   "Graph files that have moved since they were measured: files, folders or patterns, as in a,b")
        ->delimiter(',');
    app.add_flag("--no-schedules", no_schedules, "Do not run A's schedules on B's device");
  }
};

/// Such as "fp32, batch 16, image 512, 2 GPUs"; defaults are left out.
std::string setting(const records::Case& c) {
  std::string text = to_string(c.precision) + ", batch " + std::to_string(c.batch);
  if (c.image != 0) text += ", image " + to_string(c.image);
  if (c.gpus > 1) text += ", " + std::to_string(c.gpus) + " GPUs";
  return text;
}

void print_latencies(const Comparison& c) {
  std::map<std::string, std::vector<const Pair*>> groups;
  std::vector<std::string> order;
  for (const Pair& p : c.pairs) {
    std::vector<const Pair*>& group = groups[setting(p.a.what)];
    if (group.empty()) order.push_back(setting(p.a.what));
    group.push_back(&p);
  }
  for (const std::string& name : order) {
    std::cout << "\nLatency in ms, and speed-up of B: " << name << "\n";
    TextTable table({Align::left, Align::left, Align::right}, {"network", "scheduler", "A", "B", "A / B", ""});
    std::string network;
    for (const Pair* p : groups.at(name)) {
      const records::Case& what = p->a.what;
      const std::string scheduler = (what.software == "opsched" ? "" : what.software + " ") + what.scheduler;
      table.add({what.network == network ? "" : what.network, scheduler, fixed(*p->a.value, 4), fixed(*p->b.value, 4),
                 fixed(p->ratio(), 2) + "x", p->mark});
      network = what.network;
    }
    std::cout << table.text();
  }
}

void print_best(const Comparison& c) {
  const auto differing = std::ranges::count_if(c.best, &Best::differs);
  std::cout << "\nThe fastest of the schedulers recorded in both folders: different in " << differing << " of "
            << c.best.size() << " cases\n";
  if (differing == 0) return;
  TextTable table({Align::left, Align::left, Align::left, Align::left, Align::right},
                  {"network", "case", "on A", "on B", "B ms", "A's choice on B"});
  for (const Best& b : c.best)
    if (b.differs())
      table.add(
          {b.a.what.network, setting(b.a.what), b.a.what.scheduler, b.b.what.scheduler, fixed(*b.b.value, 4),
           fixed(b.a_choice_on_b_ms, 4) + " (" + fixed(100 * (b.a_choice_on_b_ms / *b.b.value - 1), 1) + "% more)"});
  std::cout << table.text();
}

void print_transplants(const Comparison& c, const std::string& device) {
  std::cout << "\n"
            << wrapped("A's fastest schedules on B's device (" + device + "), compared with B's fastest") << "\n";
  TextTable table({Align::left, Align::left, Align::left, Align::right},
                  {"network", "case", "A's schedule", "ms on B", "B's best, ms", "ratio", "from"});
  std::map<std::string, std::vector<std::string>> missing;
  for (const Transplant& t : c.transplants) {
    if (!t.unavailable.empty())
      missing[t.unavailable].push_back(t.a.what.name());
    else
      table.add({t.a.what.network, setting(t.a.what), t.a.what.scheduler, fixed(t.ms, 4), fixed(*t.b.value, 4),
                 fixed(t.ms / *t.b.value, 2) + "x", to_string(t.provenance)});
  }
  std::cout << table.text();
  for (const auto& [why, names] : missing) {
    std::cout << wrapped("not available: " + why) << "\n";
    for (const std::string& name : names) std::cout << "  " << name << "\n";
  }
}

/// B's device: this host's GPU if B was measured on it, otherwise B's profiles.
std::unique_ptr<Device> device_of(const CompareOptions& options, const Comparison& c, const Report& report) {
  int gpus = 1;
  for (const Best& b : c.best) gpus = std::max(gpus, b.a.what.gpus);
  const DeviceOptions wanted{.kind = options.device, .profile = options.b, .gpus = gpus, .report = report};
  if (options.device == "auto") {
    if (has_gpu()) {
      std::unique_ptr<Device> gpu = open_gpu(wanted);
      if (gpu->facts().name == c.device_b) return gpu;
    }
    return open_recorded(wanted);
  }
  return open_device(wanted);
}

void run_compare(const CompareOptions& options) {
  StatusLine status;
  Comparison comparison = compare_folders(options.a, options.b);
  const std::map<std::string, std::string> files = bench::graph_files(options.graphs);
  for (Best& best : comparison.best)
    if (const auto file = files.find(best.a.what.network); file != files.end()) best.a.what.file = file->second;
  std::string device_text;
  if (!options.no_schedules && (options.device == "gpu" || has_gpu() || has_profile(options.b))) {
    const std::unique_ptr<Device> device = device_of(options, comparison, interruptible(status));
    transplant(comparison, *device, interruptible(status));
    device_text = device->describe();
    device->save();
    status.clear();
  }
  if (options.format == "json") {
    std::cout << to_json(comparison);
    return;
  }
  std::cout << wrapped("A: " + comparison.folder_a + ", " + comparison.origin_a, "   ") << "\n"
            << wrapped("B: " + comparison.folder_b + ", " + comparison.origin_b, "   ") << "\n"
            << comparison.pairs.size() << " cases in both, " << comparison.only_a << " only in A, " << comparison.only_b
            << " only in B\n";
  const auto marked = std::ranges::count_if(comparison.pairs, [](const Pair& p) { return !p.mark.empty(); });
  if (marked > 0)
    std::cout << wrapped(std::to_string(marked) +
                         " pairs are not comparable (last column): the ratio does not only reflect the device; measure "
                         "both with the same version")
              << "\n";
  print_latencies(comparison);
  print_best(comparison);
  if (!device_text.empty())
    print_transplants(comparison, device_text);
  else if (!options.no_schedules)
    std::cout << "\n"
              << wrapped("A's schedules cannot run on B's device: '" + options.b + "' has no profile of it") << "\n";
}

}  // namespace

Command compare_command() {
  return {.name = "compare",
          .summary = "Compare two results folders, and run the schedules of one on the device of the other",
          .examples =
              "  opsched compare results/h200 results/mygpu              latencies, best schedules, specialisation\n"
              "  opsched compare results/h200 results/mygpu --format json\n"
              "  opsched compare before after --no-schedules             only the records of both folders\n"
              "A's fastest schedules run on B's device. They are measured if this host has that GPU, and otherwise\n"
              "recorded in or simulated from B's profiles; the last column says which.",
          .setup = setup_of(run_compare)};
}

}  // namespace opsched::cli

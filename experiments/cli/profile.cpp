// opsched profile: measures everything that the figures need from a GPU.
#include <algorithm>
#include <filesystem>

#include "experiments/bench/session.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/plan.hpp"

namespace opsched::cli {
namespace {

struct ProfileOptions {
  profile::PlanOptions plan;
  std::string out, device = "gpu", replayed;
  bool only_plan = false, fresh = false, share_cases = false;
  double max_seconds = 1;

  void add_to(CLI::App& app) {
    app.add_option("--out", out, "Results folder (default: results/NAME of the GPU)");
    app.add_flag("--quick", plan.quick, "Only two networks, fp32, batch 1");
    app.add_option("--network", plan.networks, "Only these, as in a,b")->delimiter(',');
    app.add_option("--graph", plan.files, kGraphsHelp)->delimiter(',');
    app.add_option("--precision", plan.precisions, "Only these, as in fp32,fp16")->delimiter(',');
    app.add_option("--gpus", plan.gpus, "Number of GPUs to use")->check(CLI::Range(1, 64));
    app.add_flag("--plan", only_plan, "Only show what would be measured");
    add_share_cases(app, share_cases);
    app.add_flag("--fresh", fresh, "Measure again what is already in the folder, and ignore an interrupted run");
    app.add_option("--max-seconds", max_seconds, "Time limit for measuring one schedule");
    app.add_option("--device", device, "gpu, or sim: a rehearsal that replays --profile")
        ->check(CLI::IsMember({"gpu", "sim"}));
    app.add_option("--profile", replayed, "With --device sim: the folder to replay");
  }
};

/// Cases whose latency OUT already holds, from the same device and versions.
std::vector<bench::Case> known_cases(const std::string& out, const records::Run& now) {
  const records::Records records = records::Records::read(out);
  std::vector<bench::Case> known;
  for (const records::Record* record : records.standing()) {
    const records::Run& run = records.run_of(*record);
    if (record->key() == records::Record{.what = record->what}.key() && record->value && run.where() == now.where() &&
        run.note == now.note)
      known.push_back(record->what);
  }
  return known;
}

void show_plan(const std::vector<profile::PlanStep>& steps, const std::vector<bench::Case>& known,
               const std::string& out) {
  std::vector<bench::Case> all;
  for (const profile::PlanStep& step : steps) all.insert(all.end(), step.cases.begin(), step.cases.end());
  const std::vector<double> seconds = profile::expected_seconds(all);
  std::cout << "Will be measured into " << out << ", with the approximate time for the first run\n";
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::left},
                  {"step", "schedules", "known", "time", " needed for"});
  double total = 0;
  std::size_t at = 0;
  for (const profile::PlanStep& step : steps) {
    double here = 0;
    int old = 0;
    for (const bench::Case& c : step.cases) {
      const bool is_known = std::ranges::find(known, c) != known.end();
      old += is_known ? 1 : 0;
      here += is_known ? 0 : seconds[at];
      ++at;
    }
    total += here;
    table.add({step.title, std::to_string(step.cases.size()), std::to_string(old), human_seconds(here),
               " " + step.needed_for});
  }
  table.add_rule();
  table.add(
      {"all", std::to_string(all.size()), "", human_seconds(total), " (an estimate from counts, refined as it goes)"});
  std::cout << table.text();
  std::cout << "Stages, solo latencies and transfers are measured when schedulers need them. After Ctrl-C, run the\n"
               "same command to continue.\n"
            << std::flush;
}

void run_profile(const ProfileOptions& options, ProcessGroup& processes) {
  if (options.only_plan) {
    show_plan(profile::make_plan(options.plan), {}, options.out.empty() ? "results/NAME" : options.out);
    return;
  }
  if (options.device == "gpu" && !has_gpu())
    throw Error(
        "no GPU to profile; --plan shows what would be measured, and --device sim --profile FOLDER rehearses it");
  DeviceOptions wanted{.kind = options.device, .profile = options.out, .gpus = options.plan.gpus};
  if (options.device == "sim") wanted.profile = options.replayed;
  place_processes(wanted, processes, options.share_cases);
  std::unique_ptr<Device> device = open_device(wanted);
  const std::string out = options.out.empty() ? "results/" + device->name() : options.out;
  if (options.device == "sim" && (options.out.empty() || std::filesystem::weakly_canonical(out) ==
                                                             std::filesystem::weakly_canonical(options.replayed)))
    throw Error("--device sim: use a separate --out folder, so that replayed results do not mix with measured ones");

  const std::vector<profile::PlanStep> steps = profile::make_plan(options.plan);
  const std::vector<bench::Case> known = options.fresh ? std::vector<bench::Case>{} : known_cases(out, device->run());
  std::cout << wrapped(device->heading(), "  ") << "\n";
  show_plan(steps, known, out);
  bench::SessionOptions session;
  for (const profile::PlanStep& step : steps)
    std::ranges::copy_if(step.cases, std::back_inserter(session.cases),
                         [&](const bench::Case& c) { return std::ranges::find(known, c) == known.end(); });
  if (session.cases.empty()) {
    std::cout << "Everything is already measured (--fresh measures it again).\n";
    return;
  }
  session.expected_seconds = profile::expected_seconds(session.cases);
  session.max_seconds = options.max_seconds;
  session.cache = CacheOptions{}.schedules();
  session.share = sharing(processes, options.share_cases, wanted, session, *device);
  const std::unique_ptr<records::RecordFile> file = RecordOptions{.out = out, .fresh = options.fresh}.open(*device);
  bench::run_session(*device, file.get(), session);
  std::cout << "\nWritten to " << out << ". Next:\n"
            << "  opsched compare results/h200 " << out << "      compare with an H200\n"
            << "  opsched reproduce all --help                draw the figures\n";
}

}  // namespace

Command profile_command() {
  return {.name = "profile",
          .summary = "Measure everything that the figures need on a new GPU, into a results folder",
          .examples =
              "  opsched profile --plan                        what it measures, and how long it takes; needs no GPU\n"
              "  opsched profile --out results/mygpu --quick   a first impression, some minutes\n"
              "  opsched profile --out results/mygpu           everything; run it again to continue\n"
              "  opsched profile --out results/mygpu-x4 --gpus 4\n"
              "  opsched profile --out results/mygpu --graph 'models/*.onnx'   your own models",
          .setup = setup_of(run_profile)};
}

}  // namespace opsched::cli

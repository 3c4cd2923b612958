// opsched tune: chooses kernels by their effect on whole schedules.
#include <algorithm>

#include "core/runtime/kernel_refinement.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::cli {
namespace {

struct TuneOptions {
  CaseOptions cases{.selection = {.schedulers = {"dataflow", "ios-verified"}}};
  RefinementOptions refinement;
  std::string profile;

  void add_to(CLI::App& app) {
    cases.add_to(app, "NETWORK");
    app.get_option("--scheduler")->description("Schedulers whose fastest schedule is tuned, as in a,b");
    app.add_option("--candidates", refinement.candidates, "Number of kernels to try per problem");
    app.add_option("--within", refinement.within,
                   "Skip kernels that are slower alone than this many times the fastest");
    app.add_option("--max-seconds", refinement.max_seconds, "Stop after this time; 0: no limit");
    app.add_flag("--again", refinement.again, "Also try candidates that were tried before");
    app.add_option("--profile", profile,
                   "Folder of the profile that schedulers use and measure into (default: a temporary one)");
  }
};

/// The readable part of a problem's key, without strides.
std::string brief(const std::string& problem) { return problem.substr(0, problem.find(" pre:")); }

/// The fastest schedule of each network over the schedulers.
std::vector<CoRunSchedule> best_schedules(const std::vector<bench::Case>& cases, bench::Runner& runner) {
  std::vector<CoRunSchedule> best;
  double best_ms = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const bench::Found found = runner.find(cases[i]);
    const double ms = *runner.time(cases[i], found).record.value;
    const bool first = i == 0 || cases[i - 1].neighbourhood() != cases[i].neighbourhood();
    if (first) best.push_back({runner.costs(cases[i]).graph(), found.schedule});
    if (!first && ms < best_ms) best.back().schedule = found.schedule;
    if (first || ms < best_ms) best_ms = ms;
  }
  return best;
}

std::string percent(const KernelComparison& c) {
  return fixed(100 * c.saved() / c.before, 1) + "% +-" + fixed(100 * c.noise / c.before, 1);
}

void print(const KernelRefinement& refinement, const std::vector<CoRunSchedule>& schedules, Precision precision,
           const RefinementOptions& options) {
  std::cout << to_string(precision) << ":";
  for (const CoRunSchedule& m : schedules)
    std::cout << " " << m.graph.name() << "/" << m.schedule.scheduler << "/batch:" << m.graph.batch();
  std::cout << "\n";
  if (!refinement.changes().empty()) {
    TextTable table({Align::left, Align::right, Align::left, Align::left, Align::right},
                    {"problem", "uses", " kernel before", " kernel now", "gain, us", "of the schedules"});
    for (const RefinedKernel& c : refinement.changes())
      table.add({brief(c.problem), std::to_string(c.uses), " " + c.before, " " + c.after,
                 fixed(1e3 * c.gain.saved(), 2), percent(c.gain)});
    std::cout << table.text();
  }
  std::cout << refinement.comparisons() << " comparisons";
  if (refinement.changes().empty())
    std::cout << ", nothing changed: "
              << (refinement.comparisons() > 0 ? "no other kernel makes the schedules faster by more than noise\n"
                                               : "every candidate was already tried (--again tries them again)\n");
  else
    std::cout << ", " << refinement.changes().size() << " kernels changed\n";
  if (const auto& total = refinement.total()) {
    std::cout << "all changes together: " << fixed(total->before, 4) << " -> " << fixed(total->after, 4) << " ms, "
              << percent(*total) << (schedules.size() > 1 ? ", sum of the schedules" : "") << "\n";
    if (refinement.taken_back()) std::cout << "This is within noise, so all changes were undone.\n";
  }
  if (refinement.out_of_time())
    std::cout << "Stopped after " << human_seconds(options.max_seconds) << "; run the same command to continue.\n";
  if (!refinement.failures().empty())
    std::cout << refinement.failures().size()
              << " candidates could not be built; the first: " << refinement.failures().front() << "\n";
  std::cout << "\n";
}

void refine(Device& device, const std::vector<CoRunSchedule>& schedules, Precision precision,
            const RefinementOptions& options, StatusLine& status) {
  const std::unique_ptr<CoRunTuner> tuner = device.co_run_tuner(schedules, precision);
  KernelRefinement refinement(*tuner, options);
  try {
    refinement.run([&](const RefinementProgress& p) {
      check_interrupt();
      status.show(to_string(precision) + ": problem " + std::to_string(p.problem) + " of " +
                  std::to_string(p.problems) + ", kernel " + std::to_string(p.candidate) + " of " +
                  std::to_string(p.candidates) + "; " + fixed(1e3 * p.saved, 1) + " us gained" +
                  (p.seconds_left > 0 ? ", " + human_seconds(p.seconds_left) + " left" : "") + ": " +
                  brief(p.at->problem));
    });
  } catch (const Interrupted&) {
    status.clear();
    print(refinement, schedules, precision, options);
    std::cout << "Stopped. The listed changes are saved; run the same command to continue.\n" << std::flush;
    throw;
  }
  status.clear();
  print(refinement, schedules, precision, options);
}

void run_tune(TuneOptions& options) {
  RefinementOptions& r = options.refinement;
  if (r.candidates < 1) throw Error("--candidates " + std::to_string(r.candidates) + ": must be at least 1");
  if (r.within < 1) throw Error("--within " + fixed(r.within, 2) + ": must be at least 1");
  const std::vector<bench::Case> cases = options.cases.cases();
  if (!has_gpu())
    throw Error("opsched tune runs schedules to choose their kernels, so it needs a GPU; this build or host has none");
  StatusLine status;
  const auto report = interruptible(status);
  // Kernels change during these measurements, so they go into a separate profile.
  const ScratchFolder folder("tune");
  const std::unique_ptr<Device> device = open_device(
      {.kind = "gpu", .profile = options.profile.empty() ? folder.path() : options.profile, .report = report});
  const bench::ScheduleStore store("");
  std::cout << wrapped(device->heading(), "  ") << "\n\n" << std::flush;
  for (const Precision precision : kPrecisions) {
    std::vector<bench::Case> of_precision;
    std::ranges::copy_if(cases, std::back_inserter(of_precision),
                         [&](const bench::Case& c) { return c.precision == precision; });
    // Cases to be compared become neighbours.
    std::ranges::stable_sort(of_precision, {}, [](const bench::Case& c) { return c.neighbourhood(); });
    if (of_precision.empty()) continue;
    bench::Runner runner(*device, store, {.max_seconds = 1}, report);
    refine(*device, best_schedules(of_precision, runner), precision, r, status);
  }
  device->save();
  std::cout << "The choices are stored in ~/.cache/opsched, and every scheduler uses them from now on. Earlier\n"
               "latencies do not match these kernels, so earlier profiles will be rejected: measure into a new\n"
               "folder.\n";
}

}  // namespace

Command tune_command() {
  return {.name = "tune",
          .summary = "Choose kernels by their effect on whole schedules (contention-aware)",
          .examples =
              "  opsched tune squeezenet --precision fp16            seconds to minutes; run it before measuring\n"
              "  opsched tune squeezenet inception_v3 --precision fp16,tf32\n"
              "  opsched tune nasnet --scheduler dataflow --candidates 6 --max-seconds 120\n"
              "  opsched tune squeezenet --precision fp16 --again    a second pass: choices depend on each other\n"
              "Initially, each problem uses the kernel that is fastest alone. A kernel that fills the GPU blocks\n"
              "others, so a smaller one may be better in a schedule. For each network, the fastest schedule found\n"
              "by --scheduler is captured. For each problem (shapes, strides, layer), the most expensive first,\n"
              "the next best kernels are tried in place of the current one, and the whole schedule is run with\n"
              "both in alternation. A kernel is accepted if it wins twice by more than noise. At the end, the\n"
              "result is compared with the initial kernels, and all changes are undone if they gain nothing\n"
              "together. Choices are stored as they are made, with their reasons\n"
              "(~/.cache/opsched/kernels-*.txt). After Ctrl-C, the same command continues with the remaining\n"
              "candidates. All schedulers use the same kernels afterwards, so comparisons between schedules stay\n"
              "fair. Run this before measuring: a profile measured with other kernels is rejected afterwards.\n"
              "Several networks are tuned together, for the sum of their latencies.",
          .setup = setup_of(run_tune)};
}

}  // namespace opsched::cli

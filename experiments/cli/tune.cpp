// opsched tune: chooses kernels by their effect on whole schedules.
#include <algorithm>

#include "core/runtime/kernel_refinement.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/scratch_folder.hpp"
#include "experiments/studies/tuning_records.hpp"

namespace opsched::cli {
namespace {

struct TuneOptions {
  CaseOptions cases{.selection = {.schedulers = {"dataflow", "ios-verified"}}};
  RefinementOptions refinement;
  std::vector<std::string> kinds = {"kernels", "spread", "late"};
  std::string profile;
  RecordOptions records;

  void add_to(CLI::App& app) {
    cases.add_to(app, "NETWORK");
    app.get_option("--scheduler")->description("Schedulers whose fastest schedule is tuned, as in a,b");
    app.add_option("--try", kinds,
                   "Kinds of candidates, as in a,b: kernels (other kernels), spread (limits on how many blocks of a "
                   "kernel crowd on a multiprocessor), late (no start before the preceding kernel ends)")
        ->delimiter(',')
        ->check(CLI::IsMember({"kernels", "spread", "late"}));
    app.add_option("--candidates", refinement.candidates, "Number of kernels to try per problem");
    app.add_option("--within", refinement.within,
                   "Skip kernels that are slower alone than this many times the fastest");
    app.add_option("--min-gain", refinement.min_gain,
                   "Ignore gains of a candidate below this fraction of the schedules' latency");
    app.add_option("--max-seconds", refinement.max_seconds,
                   "Stop trying candidates after this time, without that of the searches before; 0: no limit");
    app.add_flag("--again", refinement.again, "Also try candidates that were tried before");
    app.add_option("--profile", profile,
                   "Folder of the profile that schedulers use and measure into (default: a temporary one)");
    records.add_to(app);
  }

  bool tries(const char* kind) const { return std::ranges::find(kinds, kind) != kinds.end(); }
  /// The kinds in a fixed order: kernels+spread+late.
  std::string tried() const {
    std::string text;
    for (const char* kind : {"kernels", "spread", "late"})
      if (tries(kind)) text += (text.empty() ? "" : "+") + std::string(kind);
    return text;
  }
};

/// The readable part of a problem's key, without strides.
std::string brief(const std::string& problem) { return problem.substr(0, problem.find(" pre:")); }

/// A schedule to be tuned, and its measurement with the kernels of before.
struct Member {
  Graph graph;
  bench::Timed timed;
};

/// The fastest schedule of each network over the schedulers.
std::vector<Member> best_schedules(const std::vector<bench::Case>& cases, bench::Runner& runner) {
  std::vector<Member> best;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    bench::Timed timed = runner.time(cases[i], runner.find(cases[i]));
    const bool first = i == 0 || cases[i - 1].neighbourhood() != cases[i].neighbourhood();
    if (first)
      best.push_back({runner.costs(cases[i]).graph(), std::move(timed)});
    else if (*timed.record.value < *best.back().timed.record.value)
      best.back().timed = std::move(timed);
  }
  return best;
}

std::string percent(const KernelComparison& c) {
  return fixed(100 * c.saved() / c.before, 1) + "% +-" + fixed(100 * c.noise / c.before, 1);
}

/// A launch style in words.
std::string style_name(const std::string& style) { return style.empty() ? "the default launch" : style; }

void print_changes(const KernelRefinement& refinement) {
  for (const CommonStyle& common : refinement.common_styles())
    std::cout << style_name(common.style) << " for " << common.problems << " problems at once: gains "
              << fixed(1e3 * common.gain.saved(), 2) << " us, " << percent(common.gain) << "\n";
  if (refinement.changes().empty()) return;
  TextTable table({Align::left, Align::right, Align::left, Align::left, Align::right},
                  {"problem", "uses", " kernel before", " kernel now", "gain, us", "of the schedules"});
  for (const RefinedKernel& c : refinement.changes())
    table.add({brief(c.problem), std::to_string(c.uses), " " + c.before, " " + c.after,
               c.gain ? fixed(1e3 * c.gain->saved(), 2) : "at once", c.gain ? percent(*c.gain) : ""});
  std::cout << table.text();
}

void print(const KernelRefinement& refinement, const std::vector<Member>& members, Precision precision,
           const RefinementOptions& options) {
  std::cout << to_string(precision) << ":";
  for (const Member& m : members) std::cout << " " << m.timed.record.what.name();
  std::cout << "\n";
  print_changes(refinement);
  std::cout << refinement.comparisons() << " comparisons";
  if (refinement.changes().empty())
    std::cout << ", nothing changed: "
              << (refinement.comparisons() > 0 ? "no other kernel makes the schedules faster by more than noise\n"
                                               : "every candidate was already tried (--again tries them again)\n");
  else
    std::cout << ", " << refinement.changes().size() << " kernels changed\n";
  if (const auto& total = refinement.total()) {
    std::cout << "all changes together: " << fixed(total->before, 4) << " -> " << fixed(total->after, 4) << " ms, "
              << percent(*total) << (members.size() > 1 ? ", sum of the schedules" : "") << "\n";
    if (refinement.taken_back()) std::cout << "This is within noise, so all changes were undone.\n";
  }
  if (refinement.out_of_time())
    std::cout << "Stopped after " << human_seconds(options.max_seconds) << "; run the same command to continue.\n";
  if (!refinement.failures().empty())
    std::cout << refinement.failures().size()
              << " candidates could not be built; the first: " << refinement.failures().front() << "\n";
  std::cout << "\n";
}

void refine(Device& device, const std::vector<Member>& members, Precision precision, const TuneOptions& tune,
            records::RecordFile* file, StatusLine& status) {
  const RefinementOptions& options = tune.refinement;
  std::vector<CoRunSchedule> schedules;
  for (const Member& m : members) schedules.push_back({m.graph, m.timed.schedule});
  const std::unique_ptr<CoRunTuner> tuner = device.co_run_tuner(std::move(schedules), precision);
  KernelRefinement refinement(*tuner, options);
  try {
    refinement.run([&](const RefinementProgress& p) {
      check_interrupt();
      const std::string where =
          p.problem > 0 ? "problem " + std::to_string(p.problem) + " of " + std::to_string(p.problems) + ", candidate "
                        : "all problems at once, style ";
      status.show(to_string(precision) + ": " + where + std::to_string(p.candidate) + " of " +
                  std::to_string(p.candidates) + "; " + fixed(1e3 * p.saved, 1) + " us gained" +
                  (p.seconds_left > 0 ? ", " + human_seconds(p.seconds_left) + " left" : "") + ": " +
                  (p.problem > 0 ? brief(p.at) : style_name(p.at)));
    });
  } catch (const Interrupted&) {
    status.clear();
    print(refinement, members, precision, options);
    std::cout << "Stopped. The listed changes are saved; run the same command to continue.\n" << std::flush;
    throw;
  }
  status.clear();
  print(refinement, members, precision, options);
  if (!file) return;
  std::vector<bench::Timed> before;
  for (const Member& m : members) before.push_back(m.timed);
  for (const bench::Timed& now : tuning_records(refinement, before, tune.tried()))
    file->add(now.record, now.schedule, now.kernels);
}

void run_tune(TuneOptions& options) {
  RefinementOptions& r = options.refinement;
  if (r.candidates < 1) throw Error("--candidates " + std::to_string(r.candidates) + ": must be at least 1");
  if (r.min_gain < 0) throw Error("--min-gain " + fixed(r.min_gain, 4) + ": must not be negative");
  r.kernels = options.tries("kernels"), r.spread = options.tries("spread"), r.late = options.tries("late");
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
  const std::unique_ptr<records::RecordFile> file = options.records.open(*device);
  std::cout << wrapped(device->heading(), "  ") << "\n\n" << std::flush;
  for (const Precision precision : kPrecisions) {
    std::vector<bench::Case> of_precision;
    std::ranges::copy_if(cases, std::back_inserter(of_precision),
                         [&](const bench::Case& c) { return c.precision == precision; });
    // Cases to be compared become neighbours.
    std::ranges::stable_sort(of_precision, {}, [](const bench::Case& c) { return c.neighbourhood(); });
    if (of_precision.empty()) continue;
    bench::Runner runner(*device, store, {.max_seconds = 1}, report);
    refine(*device, best_schedules(of_precision, runner), precision, options, file.get(), status);
  }
  device->save();
  if (file) file->finish();
  std::cout << wrapped("The choices are stored in " + user_cache_folder() +
                       ", and every scheduler uses them from now on. Earlier latencies do not match these "
                       "kernels, so earlier profiles will be rejected: measure into a new folder.")
            << "\n";
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
              "  opsched tune inception_v3 --precision fp32 --scheduler dataflow --try spread,late --max-seconds 60\n"
              "  opsched tune squeezenet --precision fp16 --out r    stores the latency before and after\n"
              "Initially, each problem uses the kernel that is fastest alone. A kernel that fills the GPU blocks\n"
              "others, so a smaller one may be better in a schedule. For each network, the fastest schedule found\n"
              "by --scheduler is captured. For each problem (shapes, strides, layer), the most expensive first,\n"
              "the next best kernels are tried in place of the current one, and the whole schedule is run with\n"
              "both in alternation. Then, for our own convolutions, the same is done with other launch styles:\n"
              "spread0 and spread1 (a multiprocessor holds at most as many blocks of the kernel as an even spread\n"
              "needs, or one more) and late (no start before the preceding kernel ends). Each style is also tried\n"
              "for all problems at once, before anything else. A candidate is accepted if it wins twice by more\n"
              "than noise. At the end, the result is compared with the initial kernels, and all changes are undone\n"
              "if they gain nothing together. Choices are stored as they are made, with their reasons\n"
              "(~/.cache/opsched/kernels-*.txt; another folder: XDG_CACHE_HOME). After Ctrl-C, the same command\n"
              "continues with the remaining candidates. All schedulers use the same kernels afterwards, so\n"
              "comparisons between schedules stay fair. Run this before measuring: a profile measured with other\n"
              "kernels is rejected afterwards.\n"
              "Several networks are tuned together, for the sum of their latencies.",
          .setup = setup_of(run_tune)};
}

}  // namespace opsched::cli

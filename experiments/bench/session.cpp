#include "experiments/bench/session.hpp"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "core/error.hpp"
#include "experiments/bench/replays.hpp"
#include "experiments/bench/report.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/bench/settle.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/status_line.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/records/results.hpp"

namespace opsched::bench {
namespace {

using Clock = std::chrono::steady_clock;

class Session {
 public:
  Session(Device& device, const SessionOptions& options)
      : device_(device),
        options_(options),
        cases_(options.cases),
        store_(options.cache),
        runner_(device, store_, options.measure, [this](const std::string& text) { report(text); }) {}

  void run();

 private:
  void open_results();
  void search_ahead();
  void register_cases();
  void run_google_benchmark();
  void run_case(benchmark::State& state, const Case& what);
  const Result& next_result(const Case& what);
  const Result* baseline(const Case& what);
  void settle();
  std::vector<Result> to_settle() const;
  const Result& keep(Result result);
  void report(const std::string& text);
  double expected(std::size_t index) const;
  /// From what was expected of the cases left, and how long those took that have run; negative: unknown.
  double seconds_left() const;
  /// Value of a flag among those for Google Benchmark; empty: not given.
  std::string flag(const std::string& name) const;

  Device& device_;
  const SessionOptions& options_;
  std::vector<Case> cases_;
  ScheduleStore store_;
  cli::StatusLine status_;
  Runner runner_;
  std::unique_ptr<ResultsFile> file_;
  std::vector<Result> resumed_;  ///< not asked for yet
  std::vector<Result> results_;  ///< of this run, in the order in which they came
  std::size_t started_ = 0;
  bool searched_ahead_ = false;
  std::string lost_;          ///< why the device cannot go on; empty: it can
  double done_expected_ = 0;  ///< seconds that were expected of the cases that have run
  Clock::time_point begin_ = Clock::now();
};

std::string Session::flag(const std::string& name) const {
  for (const std::string& text : options_.benchmark_flags)
    if (text.starts_with(name + "=")) return text.substr(name.size() + 1);
  return {};
}

double Session::expected(std::size_t index) const {
  return options_.expected_seconds.empty() ? 1 : options_.expected_seconds.at(index);
}

double Session::seconds_left() const {
  double pace = options_.expected_seconds.empty() ? -1 : 1;  // seconds a second expected
  if (done_expected_ > 0) pace = std::chrono::duration<double>(Clock::now() - begin_).count() / done_expected_;
  double left = 0;
  for (std::size_t i = started_ == 0 ? 0 : started_ - 1; i < cases_.size(); ++i) left += expected(i);
  return pace < 0 ? -1 : pace * left;
}

void Session::report(const std::string& text) {
  cli::check_interrupt();
  const double seconds = seconds_left();
  const std::string left = seconds < 0 ? "" : ", about " + cli::human_seconds(seconds) + " left";
  status_.show("[" + std::to_string(started_) + "/" + std::to_string(cases_.size()) + left + "] " + text);
}

const Result& Session::keep(Result result) {
  if (file_) file_->add(result);
  return results_.emplace_back(std::move(result));
}

const Result& Session::next_result(const Case& what) {
  const auto old = std::ranges::find(resumed_, what, &Result::what);
  if (old == resumed_.end()) {
    const Result& result = keep(runner_.run(what));
    const auto planned = std::ranges::find(cases_, what);
    if (planned != cases_.end()) done_expected_ += expected(static_cast<std::size_t>(planned - cases_.begin()));
    return result;
  }
  results_.push_back(*old);
  resumed_.erase(old);
  return results_.back();
}

const Result* Session::baseline(const Case& what) {
  const Case wanted = baseline_of(what);
  auto it = std::ranges::find(results_, wanted, &Result::what);
  if (it == results_.end()) {
    next_result(wanted);
    it = results_.end() - 1;
  }
  return it->skipped.empty() ? &*it : nullptr;
}

void Session::run_case(benchmark::State& state, const Case& what) {
  started_ = std::min(started_ + 1, cases_.size());
  if (!lost_.empty()) {
    state.SkipWithError("stopped");
    return;
  }
  try {
    cli::check_interrupt();
    search_ahead();
    const Result result = next_result(what);
    if (!result.skipped.empty()) {
      state.SkipWithError(("skipped: " + result.skipped).c_str());
      return;
    }
    for ([[maybe_unused]] auto iteration : state) state.SetIterationTime(result.ms / 1e3);
    if (const Result* sequential = baseline(what)) state.counters["speedup"] = sequential->ms / result.ms;
    state.counters["stages"] = result.stages;
    state.counters["gap"] = result.ms / result.bound_ms - 1;
    state.counters["peak_bytes"] = benchmark::Counter(static_cast<double>(result.peak_bytes),
                                                      benchmark::Counter::kDefaults, benchmark::Counter::OneK::kIs1000);
    if (device_.describe().find(result.how) == std::string::npos) state.SetLabel(result.how);
    if (result.throttled) state.SetLabel(result.how + ", throttled");
  } catch (const cli::Interrupted&) {
    state.SkipWithError("stopped");
  } catch (const DeviceLost& e) {
    lost_ = e.what();
    state.SkipWithError(e.what());
  }
}

/// On a recorded device searches wait for nothing but processors: all of them side by side, before the first case runs.
void Session::search_ahead() {
  if (std::exchange(searched_ahead_, true) || device_.measures() || options_.cache.empty()) return;
  std::vector<Case> unknown;
  for (const Case& what : cases_) try {
      if (std::ranges::find(resumed_, what, &Result::what) == resumed_.end() && !runner_.found_before(what))
        unknown.push_back(what);
    } catch (const Error&) {  // says why when it runs
    }
  if (unknown.size() < 2) return;
  const cli::Countdown countdown;
  const auto report = [&](const ReplayProgress& now) {
    cli::check_interrupt();
    status_.show("searching " + countdown.text(now.done, now.total) + now.text);
  };
  replay_cases(device_.profile_folder(), unknown, {.store = &store_, .report = report});
}

void Session::register_cases() {
  for (const Case& what : cases_)
    benchmark::RegisterBenchmark(what.name().c_str(), [this, what](benchmark::State& state) { run_case(state, what); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

void Session::run_google_benchmark() {
  std::vector<std::string> arguments = {"opsched bench"};
  arguments.insert(arguments.end(), options_.benchmark_flags.begin(), options_.benchmark_flags.end());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data());
  if (argc > 1) throw Error("unknown option '" + std::string(argv[1]) + "' (opsched bench --help)");
  benchmark::AddCustomContext("source", device_.describe());
  register_cases();

  const auto stopped = [this] { return cli::interrupted() || !lost_.empty(); };
  const std::string format = flag("--benchmark_format");
  std::unique_ptr<benchmark::BenchmarkReporter> display, file;
  if (format == "json")
    display = std::make_unique<Renaming<benchmark::JSONReporter>>(stopped);
  else if (format != "csv")
    display = std::make_unique<ConsoleReporter>(
        device_.describe(), stopped, [this] { status_.clear(); }, isatty(STDOUT_FILENO) != 0);
  const std::string file_format = flag("--benchmark_out_format");
  if (!flag("--benchmark_out").empty() && (file_format.empty() || file_format == "json"))
    file = std::make_unique<Renaming<benchmark::JSONReporter>>(stopped);
  benchmark::RunSpecifiedBenchmarks(display.get(), file.get(), "all");
  benchmark::Shutdown();
  status_.clear();
}

std::vector<Result> Session::to_settle() const {
  std::vector<Result> results = file_->merged();
  const bool beside_profile =
      std::filesystem::weakly_canonical(options_.out) == std::filesystem::weakly_canonical(device_.profile_folder());
  std::erase_if(results, [&](const Result& r) {
    const bool ours = beside_profile || std::ranges::find(results_, r.what, &Result::what) != results_.end();
    return !r.skipped.empty() || !ours;
  });
  return results;
}

void Session::settle() {
  if (!options_.settle || !file_ || !device_.measures() || !lost_.empty() || cli::interrupted()) return;
  const std::vector<Result> results = to_settle();
  std::string step;
  cli::Countdown countdown;
  const auto report = [&](const SettleProgress& progress) {
    cli::check_interrupt();
    const std::string now = "settling, round " + std::to_string(progress.round) + ", " + progress.doing + " ";
    if (std::exchange(step, now) != now) countdown = {};
    status_.show(now + countdown.text(progress.done, progress.total) + progress.text);
  };
  const auto keep = [this](const Result& now) {
    file_->add(now);
    for (Result& result : results_)
      if (result.what == now.what) result = now;
  };
  try {
    const Settled settled =
        bench::settle(device_, store_, results,
                      {.measure = options_.measure, .rounds = options_.settle_rounds, .report = report, .keep = keep});
    status_.clear();
    print_settled(std::cerr, settled, static_cast<int>(results.size()));
  } catch (const cli::Interrupted&) {  // run() passes it on once the table is printed
  } catch (const DeviceLost& e) {
    lost_ = e.what();
  }
  status_.clear();
}

void Session::open_results() {
  if (options_.out.empty()) return;
  file_ = std::make_unique<ResultsFile>(options_.out, device_.describe(), options_.fresh);
  if (file_->replaced() > 0)
    std::cerr << "opsched: the " << file_->replaced() << " results in " << options_.out
              << " are of another device or other versions; those of this run take their place (another --out keeps "
                 "them)\n";
  resumed_ = file_->resumed();
  std::erase_if(resumed_, [](const Result& r) { return !r.skipped.empty(); });
  if (!resumed_.empty())
    std::cerr << "opsched: going on with an interrupted run: " << resumed_.size() << " results kept in " << options_.out
              << " (--fresh begins anew)\n";
}

void Session::run() {
  open_results();
  run_google_benchmark();
  settle();
  const std::string format = flag("--benchmark_format");
  if (format.empty() || format == "console") print_table(std::cout, results_);
  device_.save();
  if (!lost_.empty())
    throw DeviceLost(lost_ + (file_ ? "; " + std::to_string(results_.size()) + " results are kept in " + options_.out +
                                          ", the same command goes on from there"
                                    : "; give --out to keep results"));
  cli::check_interrupt();
  if (file_) file_->finish();
  if (std::ranges::all_of(results_, [](const Result& r) { return !r.skipped.empty(); }))
    throw Error("no benchmark could run; the reasons are above");
}

}  // namespace

void run_session(Device& device, const SessionOptions& options) { Session(device, options).run(); }

}  // namespace opsched::bench

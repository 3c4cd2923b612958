#include "experiments/bench/session.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/measurement.hpp"
#include "core/statistics.hpp"
#include "core/text_table.hpp"
#include "experiments/bench/google_benchmark.hpp"
#include "experiments/bench/protocols.hpp"
#include "experiments/bench/replays.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/status_line.hpp"

namespace opsched::bench {
namespace {

using Clock = std::chrono::steady_clock;
using records::Record;
using records::RecordFile;
using records::Records;

/// The case that is running. Its memory is freed when the next one begins.
struct Current {
  Case what;
  Found found;
  std::unique_ptr<Executor> executor;
  std::vector<double> samples;  ///< ms
  Record record;                ///< if not sampled: known or simulated
};

/// Adds the sequential baseline of every case, whether or not it was requested.
std::vector<Case> with_baselines(const std::vector<Case>& cases) {
  std::vector<Case> all;
  for (const Case& what : cases)
    for (const Case& each : {records::baseline_of(what), what})
      if (std::ranges::find(all, each) == all.end() && (each == what || std::ranges::find(cases, each) == cases.end()))
        all.push_back(each);
  return all;
}

class Session {
 public:
  Session(Device& device, RecordFile* file, const SessionOptions& options)
      : device_(device),
        file_(file),
        options_(options),
        store_(options.cache, cli::warn),
        runner_(device, store_, {}, [this](const std::string& text) { report(text); }) {}

  void run() {
    if (!device_.measures()) recorded_ = Records::read(device_.profile_folder());
    choose_cases();
    expected_ = expected_seconds();
    countdown_ = {};
    const DeviceFacts& facts = device_.facts();
    GoogleBenchmark google({.flags = options_.benchmark_flags,
                            .max_seconds = options_.max_seconds,
                            .context = {{"device", facts.name},
                                        {"driver", facts.driver},
                                        {"cuda", facts.cuda},
                                        {"cudnn", facts.cudnn},
                                        {"kernels", facts.kernels},
                                        {"source", device_.describe()}},
                            .before_output = [this] { status_.clear(); }});
    if (ours_) std::cout << wrapped(device_.heading(), "  ") << std::endl;
    if (options_.share)
      share_cases();
    else
      search_ahead();
    std::vector<Benchmark> benchmarks;
    for (const Case& what : cases_) benchmarks.push_back(benchmark_of(what));
    google.run(benchmarks);
    finish();
  }

 private:
  void report(const std::string& text) {
    cli::check_interrupt();
    const auto middle = expected_.begin() + static_cast<std::ptrdiff_t>(std::min(done_, expected_.size()));
    const double all = std::accumulate(expected_.begin(), expected_.end(), 0.0);
    const auto now = static_cast<int>(std::min(done_ + 1, expected_.size()));
    status_.show(countdown_.text(now, static_cast<int>(expected_.size()),
                                 all > 0 ? std::accumulate(expected_.begin(), middle, 0.0) / all : 0) +
                 text);
  }

  /// The result of a case that need not run: made by the interrupted run that this one continues, or recorded, if the
  /// device does not measure.
  const Record* known(const Case& what) {
    const std::string key = Record{.what = what}.key();
    if (const auto shared = std::ranges::find(shared_, what, &Record::what); shared != shared_.end()) return &*shared;
    if (const Record* made = file_ ? file_->made(key) : nullptr; made && same_graph(*made, what)) return made;
    if (device_.measures()) return nullptr;
    if (!device_.assumed().all_local(what.gpus)) return nullptr;  // recorded with other links
    const Record* record = recorded_.find(key);
    return record != nullptr && record->missing.empty() && same_graph(*record, what) ? record : nullptr;
  }

  /// Two files of the same name may hold different graphs, so fingerprints are compared.
  bool same_graph(const Record& record, const Case& what) {
    if (what.file.empty() || !record.missing.empty()) return true;
    const auto [it, fresh] = fingerprints_.try_emplace({what.file, what.batch, to_string(what.image)});
    if (fresh) it->second = fingerprint(make_graph(what));
    return record.graph == it->second;
  }

  void begin(const Case& what) {
    if (current_ && current_->what == what) return;
    current_.reset();  // free its memory first
    auto current = std::make_unique<Current>();
    current->what = what;
    if (const Record* record = known(what)) {
      if (!record->missing.empty()) throw Error(record->missing);
      current->record = *record;
    } else {
      current->found = runner_.find(what);
      current->executor = runner_.prepare(what, current->found);
      if (!device_.measures())
        current->record =
            runner_.timed(what, current->found, *current->executor, current->executor->measure({})).record;
    }
    current_ = std::move(current);
  }

  std::vector<double> sample(const Case& what, int count) {
    try {
      cli::check_interrupt();
      begin(what);
      if (current_->record.value) return std::vector<double>(static_cast<std::size_t>(count), *current_->record.value);
      report(what.name() + ": latency");
      std::vector<double> ms = current_->executor->sample(count);
      current_->samples.insert(current_->samples.end(), ms.begin(), ms.end());
      return ms;
    } catch (const cli::Interrupted&) {
      throw Stop();
    } catch (const DeviceLost& e) {
      lost_ = e.what();
      throw Stop();
    }
  }

  std::map<std::string, double> counters(const Case& what) {
    const bool sampled = !current_->samples.empty();
    const double ms = sampled ? median(current_->samples) : *current_->record.value;
    std::map<std::string, double> counters;
    const Case sequential = records::baseline_of(what);
    if (const Record* baseline = find_result(results_, sequential)) counters["speedup"] = *baseline->value / ms;
    if (sequential == what) counters["speedup"] = 1;
    if (sampled) {
      counters["p90_ms"] = quantile(current_->samples, 0.9);
      counters["p99_ms"] = quantile(current_->samples, 0.99);
    }
    return counters;
  }

  void done(const Case& what, const std::string& error) {
    ++done_;
    if (!lost_.empty() || cli::interrupted()) return;
    if (!error.empty()) return keep({.record = {.what = what, .missing = error}});
    Current& current = *current_;
    if (current.samples.empty())
      keep({.record = current.record, .schedule = current.found.schedule});
    else
      keep(runner_.timed(what, current.found, *current.executor, sampled(*current.executor, current.samples)));
    device_.save();
    try {
      for (const Protocol& protocol : options_.protocols) measure(protocol, current);
    } catch (const DeviceLost& e) {
      lost_ = e.what();
    } catch (const cli::Interrupted&) {  // reported at the end
    } catch (const Error& e) {
      cli::warn(what.name() + ": not measured by other protocols: " + e.what());
    }
  }

  /// Measures the case that has just run with another protocol.
  void measure(const Protocol& protocol, Current& current) {
    const std::string key = protocol_record(protocol, current.what).key();
    const Record* made = file_ ? file_->made(key) : nullptr;
    if (made == nullptr && !device_.measures()) made = recorded_.find(key);
    Timed timed{.record = made ? *made : Record{}};
    if (made == nullptr) {
      report(current.what.name() + ": " + protocol.name());
      if (!current.executor) {
        current.found = runner_.find(current.what);
        current.executor = runner_.prepare(current.what, current.found);
      }
      timed.record = measure_by(protocol, current.what, *current.executor);
      timed.record.graph = fingerprint(runner_.costs(current.what).graph());
      timed.record.schedule = fingerprint(current.found.schedule);
      timed.schedule = current.found.schedule;
      for (const KernelChoice& choice : current.executor->kernels()) timed.kernels[choice.problem] = choice.kernel;
    }
    status_.clear();
    // What the device cannot do is the same for every case, and said once.
    const std::string text = protocol.name() + ": " + protocol_text(timed.record);
    if (ours_ && (timed.record.missing.empty() || refusals_.insert(text).second))
      std::cout << "  " << text << std::endl;
    write(std::move(timed));
  }

  void keep(Timed timed) {
    const Record& record = timed.record;
    results_.push_back(record);
    status_.clear();
    if (ours_) print_line(std::cout, record, find_result(results_, records::baseline_of(record.what)));
    write(std::move(timed));
  }

  void write(Timed timed) {
    Record& record = timed.record;
    if (!file_ || file_->made(record.key()) != nullptr) return;
    record.replaces = options_.replace;
    if (!device_.measures() && record.provenance == Provenance::measured) record.provenance = Provenance::recorded;
    const bool kept = timed.schedule.devices.empty() ? file_->add(record, recorded_)
                                                     : file_->add(record, timed.schedule, timed.kernels);
    weaker_ = weaker_ || (!kept && !file_->records().would_stand(record));
  }

  Benchmark benchmark_of(const Case& what) {
    return {.name = what.name(),
            .sampled = device_.measures() && known(what) == nullptr,
            .sample = [this, what](int count) { return sample(what, count); },
            .counters = [this, what] { return counters(what); },
            .label =
                [this] {
                  const Record& record = current_->record;
                  if (record.value && record.provenance == Provenance::measured) return std::string("recorded");
                  if (record.value) return to_string(record.provenance);
                  return std::string(current_->executor->clocks().throttled ? "throttled" : "");
                },
            .done = [this, what](const std::string& error) { done(what, error); }};
  }

  /// Impossible combinations are not registered; the table states the reason once.
  void choose_cases() {
    for (const Case& what : with_baselines(options_.cases)) {
      const bool runs = !what.file.empty() || known(what) == nullptr;
      if (runs) device_.open(what.precision);  // may throw: then nothing is recorded
      try {
        if (!what.file.empty()) known(what);  // throws if the file cannot be read
        check_scheduler(what.scheduler, what.gpus, what.options);
        if (runs) device_.require(what.gpus, what.precision);
        cases_.push_back(what);
      } catch (const Error& e) {
        results_.push_back({.what = what, .missing = e.what()});
      }
    }
  }

  /// Expected seconds of the cases that run; all equal if none were given.
  std::vector<double> expected_seconds() const {
    std::vector<double> seconds;
    if (options_.expected_seconds.empty()) return std::vector<double>(cases_.size(), 1);
    for (const Case& what : cases_) {
      const auto planned = std::ranges::find(options_.cases, what);
      seconds.push_back(
          planned == options_.cases.end() ? 1 : options_.expected_seconds.at(planned - options_.cases.begin()));
    }
    return seconds;
  }

  /// Runs every case that must run, on other processes too. Their results are known here afterwards.
  void share_cases() {
    std::vector<Case> unknown;
    for (const Case& what : cases_)
      if (known(what) == nullptr) unknown.push_back(what);
    std::size_t arrived = 0;
    options_.share(unknown, [&](Timed timed) {
      shared_.push_back(timed.record);
      write(std::move(timed));
      cli::check_interrupt();
      status_.show("[" + std::to_string(++arrived) + "/" + std::to_string(unknown.size()) + "] shared out");
    });
  }

  /// On a recorded device, searches only need processors, so all of them run in parallel before the first case.
  void search_ahead() {
    if (device_.measures() || options_.cache.empty()) return;
    std::vector<Case> unknown;
    for (const Case& what : cases_) try {
        if (known(what) == nullptr && !runner_.found_before(what)) unknown.push_back(what);
      } catch (const Error&) {  // reported when the case runs
      }
    if (unknown.size() < 2) return;
    cli::Countdown countdown;
    const auto report = [&](const ReplayProgress& now) {
      cli::check_interrupt();
      status_.show("searching " + countdown.text(now.done, now.total) + now.text);
    };
    replay_cases(device_.profile_folder(), unknown,
                 {.store = &store_, .topology = device_.assumed(), .report = report});
  }

  std::string not_run() const {
    std::string names;
    for (const Case& what : cases_)
      if (std::ranges::find(results_, what, &Record::what) == results_.end())
        names += (names.empty() ? "" : ", ") + what.name();
    return names;
  }

  void finish() {
    status_.clear();
    if (ours_) print_table(std::cout, results_);
    device_.save();
    if (!lost_.empty())
      throw DeviceLost(lost_ + "; not run: " + not_run() +
                       (file_ ? "; " + std::to_string(results_.size()) + " results are stored in " + file_->folder() +
                                    "; run the same command to continue"
                              : "; use --out to store results"));
    cli::check_interrupt();
    if (file_) file_->finish();
    if (weaker_)
      std::cerr << "opsched: measurements that stand in " << file_->folder()
                << " were kept; replays do not replace them without --replace\n";
    if (std::ranges::all_of(results_, [](const Record& r) { return !r.missing.empty(); }))
      throw Error("no benchmark could run; see the reasons above");
  }

  Device& device_;
  RecordFile* file_;  ///< nullptr: nothing is stored
  const SessionOptions& options_;
  ScheduleStore store_;
  cli::StatusLine status_;
  Runner runner_;
  Records recorded_;             ///< of the replayed folder
  std::vector<Case> cases_;      ///< those that can run
  std::vector<Record> shared_;   ///< made by other processes
  std::vector<Record> results_;  ///< in order of arrival; skipped ones state the reason
  std::map<std::tuple<std::string, int, std::string>, std::string> fingerprints_;  ///< of graph files
  std::unique_ptr<Current> current_;
  std::vector<double> expected_;  ///< per case; only their proportions matter
  std::size_t done_ = 0;          ///< number of finished cases
  cli::Countdown countdown_;
  const bool ours_ = !flag_value(options_.benchmark_flags, "--benchmark_format");  ///< we print
  bool weaker_ = false;             ///< a result was not stored because a stronger one exists
  std::string lost_;                ///< why the device cannot continue; empty if it can
  std::set<std::string> refusals_;  ///< of protocols, as printed
};

}  // namespace

void run_session(Device& device, RecordFile* file, const SessionOptions& options) {
  Session(device, file, options).run();
}

}  // namespace opsched::bench

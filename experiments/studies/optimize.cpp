#include "experiments/studies/optimize.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/cost/bounds.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"
#include "core/text_table.hpp"

namespace opsched::bench {
namespace {

using Clock = std::chrono::steady_clock;
using records::Case;

constexpr std::size_t kFinalists = 4;
constexpr int kTurns = 5, kRunsATurn = 40;

/// Thrown when a search has used up its time.
struct OutOfTime {};

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Optimizer {
 public:
  Optimizer(Device& device, CostModel& costs, Case what, const OptimizeOptions& options, const Report& report)
      : device_(device), costs_(costs), what_(std::move(what)), options_(options), report_(report) {}

  std::vector<Attempt> run() {
    search("sequential", HUGE_VAL);
    if (const std::string& why = tried_.front().timed.record.missing; !why.empty()) throw Error(why);
    std::vector<std::string> cut_off;
    for (const std::string& name : options_.schedulers)
      if (name != "sequential" && !search(name, options_.budget_seconds / 10)) cut_off.push_back(name);
    for (std::size_t i = 0; i < cut_off.size(); ++i) {
      const double left = std::max(0.0, options_.budget_seconds - since(begin_));
      if (!search(cut_off[i], left / static_cast<double>(cut_off.size() - i))) take_best_so_far(cut_off[i]);
    }
    std::ranges::stable_sort(tried_.begin() + 1, tried_.end(), {}, [](const Attempt& c) { return ms(c); });
    time_finalists();
    std::ranges::stable_sort(tried_.begin() + 1, tried_.end(), {}, [](const Attempt& c) { return ms(c); });
    return std::move(tried_);
  }

 private:
  static double ms(const Attempt& c) { return c.timed.record.value.value_or(HUGE_VAL); }

  Case case_of(const std::string& scheduler) const {
    Case what = what_;
    what.scheduler = scheduler;
    const int most = find_scheduler(scheduler).max_devices;
    what.gpus = most == 0 ? options_.gpus : std::min(most, options_.gpus);
    return what;
  }

  void miss(const std::string& scheduler, const std::string& why) {
    tried_.push_back({.timed = {.record = {.what = case_of(scheduler), .missing = why}}});
  }

  std::string best() const {
    const auto least = std::ranges::min_element(tried_, {}, ms);
    if (least == tried_.end()) return "";
    return "; best so far " + least->timed.record.what.scheduler + ", " + fixed(ms(*least), 4) + " ms";
  }

  /// Finds a schedule and its latency. Returns false if it was cut off.
  bool search(const std::string& scheduler, double seconds) {
    const Case what = case_of(scheduler);
    const Clock::time_point begin = Clock::now();
    const auto progress = [&](const std::string& state) {
      if (report_) report_(scheduler + ": " + state + best());
      if (since(begin) > seconds) throw OutOfTime();
    };
    std::vector<std::string> notes;
    try {
      Found found;
      found.schedule = make_schedule(scheduler, {.cost = costs_,
                                                 .devices = what.gpus,
                                                 .options = what.options,
                                                 .progress = progress,
                                                 .found = [&](const Schedule& s) { so_far_[scheduler] = s; },
                                                 .note = [&](const std::string& text) { notes.push_back(text); }});
      found.seconds = since(begin);
      if (report_) report_(scheduler + ": latency" + best());
      add(what, found);
      tried_.back().notes = std::move(notes);
    } catch (const OutOfTime&) {
      spent_[scheduler] = since(begin);
      return false;
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {
      miss(scheduler, e.what());
    }
    return true;
  }

  void take_best_so_far(const std::string& scheduler) {
    const auto it = so_far_.find(scheduler);
    if (it == so_far_.end()) return miss(scheduler, "its search did not finish in time; use a larger --budget");
    const Case what = case_of(scheduler);
    Found found{.schedule = it->second, .seconds = spent_[scheduler]};
    found.schedule.graph = costs_.graph().name();
    found.schedule.scheduler = scheduler;
    found.schedule.devices.resize(what.gpus);
    try {
      add(what, found);
      tried_.back().stopped = true;
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {
      miss(scheduler, e.what());
    }
  }

  void add(const Case& what, const Found& found) {
    const std::string text = to_text(found.schedule);
    const auto same = std::ranges::find(tried_, text, [](const Attempt& c) { return to_text(c.timed.schedule); });
    Attempt attempt;
    if (same != tried_.end()) {
      attempt = *same;
      attempt.stopped = false;
      attempt.notes.clear();
      attempt.same_as = same->same_as.empty() ? same->timed.record.what.scheduler : same->same_as;
      attempt.timed.record.what = what;
      attempt.timed.record.numbers["search_seconds"] = found.seconds;
      attempt.timed.schedule.scheduler = found.schedule.scheduler;
    } else {
      const std::unique_ptr<Executor> executor = device_.executor(costs_, found.schedule, what.precision, 1);
      const Measurement latency = executor->measure({.max_seconds = 0.5});
      device_.keep(costs_, found.schedule, what, latency);
      attempt.timed = bench::timed(what, costs_, found, *executor, latency);
      attempt.bound_ms = lower_bounds(costs_, found.schedule).lower();
    }
    tried_.push_back(std::move(attempt));
  }

  /// Measures the fastest few and sequential again, in turns.
  void time_finalists() {
    if (!device_.measures()) return;
    std::vector<Attempt*> finalists;
    for (Attempt& c : tried_)
      if (finalists.size() <= kFinalists && c.timed.record.value && c.same_as.empty()) finalists.push_back(&c);
    std::vector<std::unique_ptr<Executor>> executors;
    for (const Attempt* c : finalists)
      executors.push_back(device_.executor(costs_, c->timed.schedule, what_.precision, 1));
    std::vector<std::vector<double>> samples(finalists.size());
    for (int turn = 0; turn < kTurns; ++turn)
      for (std::size_t i = 0; i < finalists.size(); ++i) {
        if (report_) report_("measuring the best again, in alternation" + best());
        const std::vector<double> more = executors[i]->sample(kRunsATurn);
        samples[i].insert(samples[i].end(), more.begin(), more.end());
      }
    for (std::size_t i = 0; i < finalists.size(); ++i) {
      Attempt& c = *finalists[i];
      const Timed& before = c.timed;
      Found found{.schedule = before.schedule, .seconds = before.record.number_or("search_seconds", 0)};
      const Measurement latency = sampled(*executors[i], samples[i]);
      device_.keep(costs_, found.schedule, before.record.what, latency);
      c.timed = bench::timed(before.record.what, costs_, found, *executors[i], latency);
      c.timed_in_turns = true;
      for (Attempt& other : tried_)
        if (other.same_as == c.timed.record.what.scheduler) take_over(other, c);
    }
  }

  /// Gives the same schedule the same latency, whichever scheduler found it.
  static void take_over(Attempt& other, const Attempt& c) {
    Timed timed = c.timed;
    timed.record.what = other.timed.record.what;
    timed.record.numbers["search_seconds"] = other.timed.record.number_or("search_seconds", 0);
    timed.schedule.scheduler = other.timed.schedule.scheduler;
    other.timed = std::move(timed);
    other.timed_in_turns = true;
  }

  Device& device_;
  CostModel& costs_;
  Case what_;
  const OptimizeOptions& options_;
  const Report& report_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<Attempt> tried_;
  std::map<std::string, double> spent_;     ///< spent on searches that were cut off
  std::map<std::string, Schedule> so_far_;  ///< best schedules of searches that are running or were cut off
};

}  // namespace

std::vector<Attempt> optimize(Device& device, CostModel& costs, Case what, const OptimizeOptions& options,
                              const Report& report) {
  return Optimizer(device, costs, std::move(what), options, report).run();
}

}  // namespace opsched::bench

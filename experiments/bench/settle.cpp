#include "experiments/bench/settle.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "experiments/bench/replays.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {
namespace {

// Rounds that only measure what a replay finds: a schedule that was never run as a whole may turn out slower than
// one that is known, which then takes its place.
constexpr int kConfirmations = 3;

class Settling {
 public:
  Settling(Device& device, const ScheduleStore& store, std::vector<Result> results, const SettleOptions& options)
      : device_(device), store_(store), options_(options), results_(std::move(results)) {
    // Measured one after another, neighbours share a graph and its costs.
    std::ranges::stable_sort(results_, {}, [](const Result& r) { return r.what.neighbourhood(); });
  }

  Settled run() {
    std::vector<Result*> pending;
    for (Result& result : results_) pending.push_back(&result);
    for (; !pending.empty(); ++progress_.round) pending = round(pending);
    return std::move(settled_);
  }

 private:
  /// Gives what is to be looked at in the next round.
  std::vector<Result*> round(const std::vector<Result*>& pending) {
    device_.save();
    std::vector<Replay> replays = replay(pending);
    const ScheduleStore none("");  // every search runs
    // Its models, too, are of the profile as it is now.
    Runner measuring(device_, none, options_.measure,
                     [this](const std::string& text) { report("measuring", progress_.done, text); });
    std::set<Precision> grown;  // there is a profile for each
    for (progress_.done = 0; progress_.done < progress_.total; ++progress_.done) {
      Result& result = *pending[progress_.done];
      const std::string name = result.what.name();
      settled_.open.erase(name);
      try {
        if (settle(result, std::move(replays[progress_.done]), measuring)) grown.insert(result.what.precision);
      } catch (const DeviceLost&) {
        throw;
      } catch (const Error& e) {
        settled_.open[name] = e.what();
      }
    }
    std::vector<Result*> next;
    for (Result& result : results_)
      if (grown.contains(result.what.precision)) next.push_back(&result);
    return next;
  }

  std::vector<Replay> replay(const std::vector<Result*>& pending) {
    std::vector<Case> cases;
    for (const Result* result : pending) cases.push_back(result->what);
    progress_.total = static_cast<int>(cases.size());
    return replay_cases(device_.profile_folder(), cases,
                        {.report = [this](const ReplayProgress& now) { report("replaying", now.done, now.text); }});
  }

  void report(const std::string& doing, int done, const std::string& text) {
    progress_.doing = doing;
    progress_.done = done;
    progress_.text = text;
    if (options_.report) options_.report(progress_);
  }

  /// Whether something has been measured, because the replay finds another schedule.
  bool settle(Result& result, Replay replay, Runner& measuring) {
    if (!replay.result.skipped.empty()) throw Error(replay.result.skipped);
    const Case what = result.what;
    Found found = std::move(replay.found);
    if (fingerprint(found.schedule) == result.schedule) return false;
    if (options_.rounds == 0 || progress_.round >= options_.rounds + kConfirmations) {
      settled_.open[what.name()] = "another schedule is found after every round";
      return false;
    }
    const bool searches = progress_.round < options_.rounds;
    if (searches) found = measuring.find(what);
    if (fingerprint(found.schedule) == result.schedule) return true;
    found.seconds = result.search_seconds;
    const Result* twin = same_schedule(result, fingerprint(found.schedule));
    Result now = twin ? *twin : measuring.time(what, found);
    now.what = what;
    now.search_seconds = result.search_seconds;
    // Chosen by what the replay's simulator said; without a search, the device's own knows nothing of this graph yet.
    if (!searches) now.predicted_ms = replay.result.predicted_ms;
    store_.keep(what.scheduler, {.cost = measuring.costs(what), .devices = what.gpus, .options = {}, .progress = {}},
                device_.cost_key(what.precision), found);
    if (options_.keep) options_.keep(now);
    settled_.replaced.push_back({std::exchange(result, now), now});
    return twin == nullptr;
  }

  /// Another case's result for this very schedule; nothing if there is none. Schedulers that choose among known
  /// schedules find each other's: measured again, the noise of two measurements would decide anew which of them is
  /// faster.
  const Result* same_schedule(const Result& result, const std::string& schedule) const {
    const auto it = std::ranges::find_if(results_, [&](const Result& other) {
      return other.schedule == schedule && other.graph == result.graph && other.what.gpus == result.what.gpus &&
             other.what.precision == result.what.precision;
    });
    return it == results_.end() ? nullptr : &*it;
  }

  Device& device_;
  const ScheduleStore& store_;
  const SettleOptions& options_;
  SettleProgress progress_;
  std::vector<Result> results_;
  Settled settled_;
};

}  // namespace

Settled settle(Device& device, const ScheduleStore& store, std::vector<Result> results, const SettleOptions& options) {
  return Settling(device, store, std::move(results), options).run();
}

}  // namespace opsched::bench

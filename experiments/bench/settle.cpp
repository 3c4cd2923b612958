#include "experiments/bench/settle.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/cost/signature.hpp"
#include "core/error.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {
namespace {

class Settling {
 public:
  Settling(Device& device, const ScheduleStore& store, std::vector<Result> results, const SettleOptions& options)
      : device_(device), store_(store), options_(options), results_(std::move(results)) {
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
    const Report report = [this](const std::string& text) {
      progress_.text = text;
      if (options_.report) options_.report(progress_);
    };
    progress_.done = 0;
    progress_.total = static_cast<int>(pending.size());
    device_.save();
    const std::unique_ptr<Device> recorded =
        open_recorded({.kind = "sim", .profile = device_.profile_folder(), .report = report});
    const ScheduleStore none("");  // every search runs
    Runner replaying(*recorded, none, options_.measure, report);
    Runner measuring(device_, none, options_.measure, report);  // its models, too, are of the profile as it is now
    std::set<Precision> grown;                                  // there is a profile for each
    for (Result* result : pending) {
      const std::string name = result->what.name();
      settled_.open.erase(name);
      try {
        if (differs(*result, replaying, measuring)) grown.insert(result->what.precision);
      } catch (const DeviceLost&) {
        throw;
      } catch (const Error& e) {
        settled_.open[name] = e.what();
      }
      ++progress_.done;
    }
    std::vector<Result*> next;
    for (Result& result : results_)
      if (grown.contains(result.what.precision)) next.push_back(&result);
    return next;
  }

  /// Whether the replay finds another schedule; then something has been measured.
  bool differs(Result& result, Runner& replaying, Runner& measuring) {
    const Case what = result.what;
    Found found = replaying.find(what);
    if (fingerprint(found.schedule) == result.schedule) return false;
    if (progress_.round > options_.rounds) {
      settled_.open[what.name()] = "another schedule is found after every round";
      return false;
    }
    if (progress_.round < options_.rounds) found = measuring.find(what);
    if (fingerprint(found.schedule) == result.schedule) return true;
    Result now = measuring.time(what, found);
    now.search_seconds = found.seconds = result.search_seconds;
    store_.keep(what.scheduler, {.cost = measuring.costs(what), .devices = what.gpus, .options = {}, .progress = {}},
                device_.cost_key(what.precision), found);
    if (options_.keep) options_.keep(now);
    settled_.replaced.push_back({std::exchange(result, now), now});
    return true;
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

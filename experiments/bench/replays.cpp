#include "experiments/bench/replays.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>

#include "core/parallel.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {
namespace {

constexpr std::chrono::milliseconds kReport{100};

struct Stopped {};

/// A device and a runner, used by one thread at a time.
struct Worker {
  std::unique_ptr<Device> device;
  std::unique_ptr<Runner> runner;
};

class Replaying {
 public:
  Replaying(const std::string& folder, const std::vector<Case>& cases, const ReplayOptions& options)
      : folder_(folder), cases_(cases), options_(options), replays_(cases.size()) {
    progress_.total = static_cast<int>(cases.size());
    std::vector<std::size_t> order(cases.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return cases[i].neighbourhood(); });
    for (const std::size_t i : order) {
      if (jobs_.empty() || cases[jobs_.back().front()].neighbourhood() != cases[i].neighbourhood())
        jobs_.emplace_back();
      jobs_.back().push_back(i);
    }
  }

  std::vector<Timed> run() {
    const int threads = options_.threads > 0 ? options_.threads : processors();
    std::future<void> all = std::async(std::launch::async, [&] {
      parallel_for(static_cast<int>(jobs_.size()), threads, [this](int job) { replay(jobs_[job]); });
    });
    try {
      do report();
      while (all.wait_for(kReport) != std::future_status::ready);
    } catch (...) {
      stopped_ = true;
      all.wait();
      throw;
    }
    all.get();
    return std::move(replays_);
  }

 private:
  /// Runs the cases of one neighbourhood.
  void replay(const std::vector<std::size_t>& job) {
    Worker worker = take_worker();
    for (const std::size_t i : job) {
      replays_[i] = worker.runner->run(cases_[i]);
      const std::lock_guard lock(mutex_);
      ++progress_.done;
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(worker));
  }

  Worker take_worker() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Worker worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
      }
    }
    Worker worker{.device = open_recorded({.kind = "sim", .profile = folder_, .topology = options_.topology}),
                  .runner = nullptr};
    worker.runner = std::make_unique<Runner>(*worker.device, options_.store ? *options_.store : none_, MeasureOptions{},
                                             [this](const std::string& text) { say(text); });
    return worker;
  }

  void say(const std::string& text) {
    if (stopped_) throw Stopped();
    const std::lock_guard lock(mutex_);
    progress_.text = text;
  }

  void report() {
    if (!options_.report) return;
    std::unique_lock lock(mutex_);
    const ReplayProgress now = progress_;
    lock.unlock();
    options_.report(now);
  }

  const std::string& folder_;
  const std::vector<Case>& cases_;
  const ReplayOptions& options_;
  const ScheduleStore none_{""};
  std::vector<Timed> replays_;                  ///< each is written by one worker only
  std::vector<std::vector<std::size_t>> jobs_;  ///< neighbourhoods
  std::atomic<bool> stopped_ = false;

  std::mutex mutex_;  ///< guards everything below
  ReplayProgress progress_;
  std::vector<Worker> idle_;
};

}  // namespace

std::vector<Timed> replay_cases(const std::string& profile_folder, const std::vector<Case>& cases,
                                const ReplayOptions& options) {
  return Replaying(profile_folder, cases, options).run();
}

}  // namespace opsched::bench

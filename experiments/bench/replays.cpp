#include "experiments/bench/replays.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>
#include <tuple>
#include <utility>

#include "core/parallel.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {
namespace {

constexpr std::chrono::milliseconds kReport{100};

struct Stopped {};

class Replaying {
 public:
  Replaying(const std::string& folder, const std::vector<Case>& cases, const ReplayOptions& options)
      : folder_(folder), cases_(cases), options_(options), replays_(cases.size()) {
    progress_.total = static_cast<int>(cases.size());
    order_.resize(cases.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return cases[i].neighbourhood(); });
  }

  std::vector<Timed> run() {
    int threads = options_.threads > 0 ? options_.threads : processors();
    threads = std::clamp(threads, 1, std::max(1, static_cast<int>(cases_.size())));
    std::vector<std::jthread> workers;
    for (working_ = threads; threads > 0; --threads) workers.emplace_back([this] { work(); });
    try {
      do report();
      while (!finished());
    } catch (...) {
      stop(std::current_exception());
    }
    workers.clear();  // joins
    if (failure_) std::rethrow_exception(failure_);
    return std::move(replays_);
  }

 private:
  void work() noexcept {
    try {
      const std::unique_ptr<Device> device = open_recorded({.kind = "sim", .profile = folder_, .report = {}});
      const ScheduleStore none("");
      Runner runner(*device, options_.store ? *options_.store : none, {},
                    [this](const std::string& text) { say(text); });
      for (auto [first, last] = next(); first != last; std::tie(first, last) = next())
        for (; first != last; ++first) {
          replays_[order_[first]] = runner.run(cases_[order_[first]]);
          const std::lock_guard lock(mutex_);
          ++progress_.done;
        }
    } catch (const Stopped&) {
    } catch (...) {
      stop(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    --working_;
    changed_.notify_one();
  }

  /// The next neighbourhood, as places in the order; empty: no more.
  std::pair<std::size_t, std::size_t> next() {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Stopped();
    const std::size_t first = next_;
    while (next_ < order_.size() && cases_[order_[next_]].neighbourhood() == cases_[order_[first]].neighbourhood())
      ++next_;
    return {first, next_};
  }

  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Stopped();
    progress_.text = text;
  }

  void stop(std::exception_ptr why) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(why);
  }

  bool finished() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kReport, [this] { return working_ == 0; });
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
  std::vector<Timed> replays_;      ///< each written by the one worker that has its case
  std::vector<std::size_t> order_;  ///< of cases, neighbours side by side

  std::mutex mutex_;  ///< of all below
  std::condition_variable changed_;
  std::size_t next_ = 0;
  int working_ = 0;
  ReplayProgress progress_;
  std::exception_ptr failure_;  ///< why all stop
};

}  // namespace

std::vector<Timed> replay_cases(const std::string& profile_folder, const std::vector<Case>& cases,
                                const ReplayOptions& options) {
  return Replaying(profile_folder, cases, options).run();
}

}  // namespace opsched::bench

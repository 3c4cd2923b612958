#include "core/runtime/kernel_refinement.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace opsched {
namespace {

/// A problem and the candidates that are left to try.
struct Task {
  PosedProblem posed;
  std::vector<std::string> candidates;
  double weight = 0;  ///< total ms of its launches, one after another
};

Task make_task(PosedProblem posed, const RefinementOptions& options) {
  Task task{.posed = std::move(posed), .candidates = {}, .weight = 0};
  if (task.posed.alone.empty()) return task;
  const double fastest = task.posed.alone.front().ms;
  double chosen = fastest;
  int nth = 0;
  for (const KernelTime& k : task.posed.alone) {
    if (k.kernel == task.posed.chosen) {
      chosen = k.ms;
      continue;
    }
    if (!k.leaves_sms_free && (k.ms > options.within * fastest || ++nth > options.candidates)) continue;
    if (options.again || !task.posed.tried.contains(k.kernel)) task.candidates.push_back(k.kernel);
  }
  task.weight = chosen * task.posed.uses;
  return task;
}

KernelComparison operator+(const KernelComparison& a, const KernelComparison& b) {
  // The second comparison began where the first one ended.
  return {a.before, a.after - b.saved(), std::hypot(a.noise, b.noise)};
}

}  // namespace

bool KernelRefinement::wins(const KernelComparison& c) const {
  return c.saved() > std::max(options_.min_gain * c.before, options_.sigmas * c.noise);
}

void KernelRefinement::run(const std::function<void(const RefinementProgress&)>& progress) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };

  std::vector<Task> tasks;
  for (PosedProblem& posed : tuner_.problems())
    if (Task task = make_task(std::move(posed), options_); !task.candidates.empty()) tasks.push_back(std::move(task));
  std::ranges::stable_sort(tasks, std::greater{}, &Task::weight);
  std::size_t left = std::accumulate(tasks.begin(), tasks.end(), std::size_t{0},
                                     [](std::size_t sum, const Task& task) { return sum + task.candidates.size(); });
  const std::size_t all = left;
  double saved = 0;
  for (std::size_t t = 0; t < tasks.size() && !out_of_time_; ++t) {
    const PosedProblem& posed = tasks[t].posed;
    const std::vector<std::string>& candidates = tasks[t].candidates;
    std::string chosen = posed.chosen;
    std::optional<KernelComparison> gain;
    std::set<std::string> tried{chosen};
    for (std::size_t i = 0; i < candidates.size(); ++i, --left) {
      if (options_.max_seconds > 0 && seconds() > options_.max_seconds) {
        out_of_time_ = true;
        break;
      }
      if (progress) {
        double rest = left < all ? seconds() / static_cast<double>(all - left) * static_cast<double>(left) : 0;
        if (options_.max_seconds > 0) rest = std::min(rest, options_.max_seconds - seconds());
        progress({.problem = static_cast<int>(t) + 1,
                  .problems = static_cast<int>(tasks.size()),
                  .candidate = static_cast<int>(i) + 1,
                  .candidates = static_cast<int>(candidates.size()),
                  .at = &posed,
                  .saved = saved,
                  .seconds_left = rest});
      }
      tried.insert(candidates[i]);
      const KernelChange change{posed.problem, candidates[i]};
      KernelComparison confirmed;
      try {
        ++comparisons_;
        if (!wins(tuner_.compare({&change, 1}, options_.turns))) continue;
        ++comparisons_;
        confirmed = tuner_.compare({&change, 1}, 2 * options_.turns);
      } catch (const DeviceLost&) {
        throw;
      } catch (const Error& e) {  // the kernel cannot be built after all
        failures_.push_back(candidates[i] + " for " + posed.problem + ": " + e.what());
        continue;
      }
      if (!wins(confirmed)) continue;
      tuner_.choose(posed.problem, candidates[i], confirmed);
      chosen = candidates[i];
      saved += confirmed.saved();
      if (gain) {
        gain = *gain + confirmed;
        changes_.back().after = chosen;
        changes_.back().gain = *gain;
      } else {
        gain = confirmed;
        changes_.push_back({posed.problem, posed.chosen, chosen, posed.uses, confirmed});
      }
    }
    tuner_.remember_tried(posed.problem, tried);
  }
  settle();
}

void KernelRefinement::settle() {
  if (changes_.empty()) return;
  std::vector<KernelChange> undo;
  for (const RefinedKernel& change : changes_) undo.push_back({change.problem, change.before});
  ++comparisons_;
  const KernelComparison back = tuner_.compare(undo, 4 * options_.turns);
  total_ = KernelComparison{back.after, back.before, back.noise};
  if (total_->saved() > options_.sigmas * total_->noise) return;
  for (const KernelChange& change : undo) tuner_.choose(change.problem, change.kernel, back);
  taken_back_ = true;
}

}  // namespace opsched

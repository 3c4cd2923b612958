#include "core/runtime/kernel_refinement.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace opsched {
namespace {

KernelComparison operator+(const KernelComparison& a, const KernelComparison& b) {
  // The second comparison began where the first one ended.
  return {a.before, a.after - b.saved(), std::hypot(a.noise, b.noise)};
}

KernelComparison sum_of(const std::vector<KernelComparison>& each) {
  KernelComparison sum;
  for (const KernelComparison& one : each)
    sum = {sum.before + one.before, sum.after + one.after, std::hypot(sum.noise, one.noise)};
  return sum;
}

}  // namespace

KernelComparison CoRunTuner::compare(std::span<const KernelChange> changes, int turns) {
  return sum_of(compare_each(changes, turns));
}

/// A problem, and what is left to do for it.
struct KernelRefinement::Task {
  PosedProblem posed;
  std::string chosen;  ///< kernel that runs now
  int index = 0;       ///< from 1
  int count = 0;       ///< candidates, as far as they are known at the start
  double weight = 0;   ///< total ms of its launches, one after another
};

/// Kernels worth a try in place of the one that runs when the refinement starts.
std::vector<std::string> KernelRefinement::kernels_of(const PosedProblem& posed) const {
  std::vector<std::string> kernels;
  if (!options_.kernels) return kernels;
  int nth = 0;
  for (const KernelTime& k : posed.alone) {
    if (k.kernel == posed.chosen) continue;
    if (!k.leaves_sms_free && (k.ms > options_.within * posed.alone.front().ms || ++nth > options_.candidates))
      continue;
    kernels.push_back(k.kernel);
  }
  return kernels;
}

/// Other launch styles of a kernel, of the kinds that are wanted. The default is one of every kind.
std::vector<LaunchVariant> KernelRefinement::styles_of(const std::string& kernel) {
  std::vector<LaunchVariant> styles;
  if (!options_.spread && !options_.late) return styles;
  for (LaunchVariant& variant : tuner_.launch_variants(kernel))
    if (variant.style.empty() || (variant.style == "late" ? options_.late : options_.spread))
      styles.push_back(std::move(variant));
  return styles;
}

std::vector<KernelRefinement::Task> KernelRefinement::make_tasks() {
  std::vector<Task> tasks;
  for (PosedProblem& posed : tuner_.problems()) {
    if (posed.alone.empty()) continue;
    std::vector<std::string> candidates = kernels_of(posed);
    for (const LaunchVariant& variant : styles_of(posed.chosen)) candidates.push_back(variant.kernel);
    if (!options_.again) std::erase_if(candidates, [&](const auto& kernel) { return posed.tried.contains(kernel); });
    if (candidates.empty()) continue;
    // A launch style was not measured alone: its kernel counts as the fastest.
    const auto chosen = std::ranges::find(posed.alone, posed.chosen, &KernelTime::kernel);
    const double ms = chosen == posed.alone.end() ? posed.alone.front().ms : chosen->ms;
    Task& task = tasks.emplace_back();
    task.chosen = posed.chosen;
    task.count = static_cast<int>(candidates.size());
    task.weight = ms * posed.uses;
    task.posed = std::move(posed);
  }
  std::ranges::stable_sort(tasks, std::greater{}, &Task::weight);
  for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i].index = static_cast<int>(i) + 1;
  return tasks;
}

bool KernelRefinement::wins(const KernelComparison& c) const {
  return c.saved() > std::max(options_.min_gain * c.before, options_.sigmas * c.noise);
}

/// The confirming comparison, if the changes win twice.
std::optional<KernelComparison> KernelRefinement::try_out(std::span<const KernelChange> changes) {
  try {
    ++comparisons_;
    if (!wins(tuner_.compare(changes, options_.turns))) return std::nullopt;
    ++comparisons_;
    const KernelComparison confirmed = tuner_.compare(changes, 2 * options_.turns);
    if (wins(confirmed)) return confirmed;
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {  // a kernel cannot be built after all
    failures_.push_back(changes.front().kernel + " for " + changes.front().problem + ": " + e.what());
  }
  return std::nullopt;
}

bool KernelRefinement::time_is_up() {
  out_of_time_ = out_of_time_ || (options_.max_seconds > 0 && seconds() > options_.max_seconds);
  return out_of_time_;
}

/// Of a number of candidates; 0 if unknown.
double KernelRefinement::seconds_for(int candidates) const {
  const double rest = done_ > 0 ? seconds() / done_ * candidates : 0;
  return options_.max_seconds > 0 ? std::min(rest, options_.max_seconds - seconds()) : rest;
}

/// The entry of a task whose kernel changes.
RefinedKernel& KernelRefinement::change_of(const Task& task) {
  const auto known = std::ranges::find(changes_, task.posed.problem, &RefinedKernel::problem);
  if (known != changes_.end()) return *known;
  changes_.push_back({task.posed.problem, task.posed.chosen, task.posed.chosen, task.posed.uses, std::nullopt});
  return changes_.back();
}

void KernelRefinement::run(const std::function<void(const RefinementProgress&)>& progress) {
  start_ = Clock::now();
  std::vector<Task> tasks = make_tasks();
  problems_ = static_cast<int>(tasks.size());
  left_ = std::accumulate(tasks.begin(), tasks.end(), 0, [](int sum, const Task& task) { return sum + task.count; });
  refine_together(tasks, progress);
  for (Task& task : tasks) {
    if (time_is_up()) break;
    refine(task, progress);
  }
  std::erase_if(changes_, [](const RefinedKernel& change) { return change.before == change.after; });
  settle();
}

void KernelRefinement::refine_together(std::vector<Task>& tasks, const Report& progress) {
  std::vector<std::string> styles;
  for (const Task& task : tasks)
    for (const LaunchVariant& variant : styles_of(task.chosen))
      if (std::ranges::find(styles, variant.style) == styles.end()) styles.push_back(variant.style);
  for (std::size_t i = 0; i < styles.size(); ++i) {
    std::vector<KernelChange> changes;
    std::vector<Task*> changed;
    for (Task& task : tasks)
      for (const LaunchVariant& variant : styles_of(task.chosen))
        if (variant.style == styles[i]) {
          changes.push_back({task.posed.problem, variant.kernel});
          changed.push_back(&task);
        }
    if (changes.size() < 2) continue;
    if (time_is_up()) return;
    if (progress)
      progress({.problems = problems_,
                .candidate = static_cast<int>(i) + 1,
                .candidates = static_cast<int>(styles.size()),
                .at = styles[i],
                .saved = saved_,
                .seconds_left = seconds_for(left_)});
    ++done_;
    const std::optional<KernelComparison> gain = try_out(changes);
    if (!gain) continue;
    for (std::size_t c = 0; c < changes.size(); ++c) {
      tuner_.choose(changes[c].problem, changes[c].kernel, *gain);
      change_of(*changed[c]).after = changed[c]->chosen = changes[c].kernel;
    }
    common_.push_back({styles[i], static_cast<int>(changes.size()), *gain});
    saved_ += gain->saved();
  }
}

void KernelRefinement::refine(Task& task, const Report& progress) {
  const PosedProblem& posed = task.posed;
  std::set<std::string> tried{task.chosen};
  std::vector<std::string> candidates = kernels_of(posed);
  const auto drop_known = [&] {
    std::erase_if(candidates, [&](const std::string& kernel) {
      return tried.contains(kernel) || (!options_.again && posed.tried.contains(kernel));
    });
  };
  drop_known();
  left_ -= task.count;  // an estimate: the styles to try depend on the kernel that is chosen
  int nth = 0;
  for (const bool styles : {false, true}) {
    if (styles) {
      candidates.clear();
      for (LaunchVariant& variant : styles_of(task.chosen)) candidates.push_back(std::move(variant.kernel));
      drop_known();
    }
    for (const std::string& candidate : candidates) {
      if (time_is_up()) break;
      if (progress)
        progress({.problem = task.index,
                  .problems = problems_,
                  .candidate = ++nth,
                  .candidates = std::max(nth, task.count),
                  .at = posed.problem,
                  .saved = saved_,
                  .seconds_left = seconds_for(left_ + std::max(0, task.count - nth + 1))});
      ++done_;
      tried.insert(candidate);
      const KernelChange change{posed.problem, candidate};
      const std::optional<KernelComparison> gain = try_out({&change, 1});
      if (!gain) continue;
      tuner_.choose(posed.problem, candidate, *gain);
      task.chosen = candidate;
      saved_ += gain->saved();
      RefinedKernel& entry = change_of(task);
      entry.after = candidate;
      entry.gain = entry.gain ? *entry.gain + *gain : *gain;
    }
  }
  tuner_.remember_tried(posed.problem, tried);
}

void KernelRefinement::settle() {
  if (changes_.empty()) return;
  std::vector<KernelChange> undo;
  for (const RefinedKernel& change : changes_) undo.push_back({change.problem, change.before});
  ++comparisons_;
  for (const KernelComparison& back : tuner_.compare_each(undo, 4 * options_.turns))
    totals_.push_back({back.after, back.before, back.noise});
  total_ = sum_of(totals_);
  if (total_->saved() > options_.sigmas * total_->noise) return;
  const KernelComparison back{total_->after, total_->before, total_->noise};
  for (const KernelChange& change : undo) tuner_.choose(change.problem, change.kernel, back);
  taken_back_ = true;
}

}  // namespace opsched

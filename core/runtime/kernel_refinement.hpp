// Contention-aware kernel selection: the kernel that is fastest alone may slow down concurrent ones. Coordinate
// descent over the kernel problems of whole schedules; the choices are kernels and their launch styles.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

struct KernelTime {
  std::string kernel;
  double ms = 0;  ///< alone
  /// Uses only a part of the multiprocessors: worth a try next to others, however slow alone.
  bool leaves_sms_free = false;
  bool operator==(const KernelTime&) const = default;
};

/// A kernel problem, and how often the schedules contain it.
struct PosedProblem {
  std::string problem;            ///< Problem::key()
  int uses = 0;                   ///< launches, over all schedules
  std::string chosen;             ///< kernel that runs now
  std::vector<KernelTime> alone;  ///< working kernels, fastest first; usually includes `chosen`
  std::set<std::string> tried;    ///< kernels that an earlier run already tried with these schedules
};

struct KernelChange {
  std::string problem, kernel;
};

/// A kernel in another launch style: the same computation, started later or with a limit on the crowding of its blocks.
struct LaunchVariant {
  std::string kernel;
  std::string style;  ///< "spread0", "spread1", "late"; empty: the default
};

/// Two kernel choices, compared on whole schedules in alternation. ms, summed over the schedules that contain a
/// changed problem.
struct KernelComparison {
  double before = 0, after = 0;
  double noise = 0;  ///< standard error of after - before
  double saved() const { return before - after; }
};

/// One of the schedules that are tuned together, on one device.
struct CoRunSchedule {
  Graph graph;
  Schedule schedule;
};

/// Runs whole schedules with different kernel choices; the interface used by KernelRefinement.
class CoRunTuner {
 public:
  virtual ~CoRunTuner() = default;
  virtual std::vector<PosedProblem> problems() = 0;
  /// A kernel in every other launch style; empty if it has none.
  virtual std::vector<LaunchVariant> launch_variants(const std::string& kernel) = 0;
  /// Compares the current kernels with the same plus `changes`, over this many alternations. One entry per schedule;
  /// zero for a schedule without the problems of the changes. Throws Error if a kernel of the changes cannot be built.
  virtual std::vector<KernelComparison> compare_each(std::span<const KernelChange> changes, int turns) = 0;
  /// Sum of compare_each().
  KernelComparison compare(std::span<const KernelChange> changes, int turns);
  /// Makes `kernel` the choice from now on, also in later program runs; `why` is stored with it.
  virtual void choose(const std::string& problem, const std::string& kernel, const KernelComparison& why) = 0;
  /// Stores what need not be tried again with these schedules.
  virtual void remember_tried(const std::string& problem, const std::set<std::string>& kernels) = 0;
};

struct RefinementOptions {
  bool kernels = true;      ///< try other kernels
  bool spread = true;       ///< try limits on crowding
  bool late = true;         ///< try launches without an early start
  int candidates = 12;      ///< per problem, in addition to those that leave SMs free
  double within = 1.5;      ///< candidates may be this much slower alone than the fastest
  double min_gain = 0.002;  ///< as a fraction of the schedules' latency; smaller gains are ignored
  double sigmas = 3;        ///< a gain must exceed this many standard errors
  int turns = 8;            ///< of a first comparison; the confirming one has twice as many
  double max_seconds = 0;   ///< time limit; 0: none
  bool again = false;       ///< also try what was tried before
};

struct RefinementProgress {
  int problem = 0, problems = 0;      ///< index from 1, and count; 0: a launch style for all problems
  int candidate = 0, candidates = 0;  ///< of this problem
  std::string at;                     ///< the problem, or the style
  double saved = 0;                   ///< ms so far, over all schedules
  double seconds_left = 0;            ///< extrapolated; 0: unknown
};

/// A change that was kept.
struct RefinedKernel {
  std::string problem, before, after;
  int uses = 0;
  /// All confirming comparisons of this problem, combined. Absent if it changed only together with all others.
  std::optional<KernelComparison> gain;
};

/// A launch style that was accepted for all problems at once.
struct CommonStyle {
  std::string style;
  int problems = 0;
  KernelComparison gain;
};

/// First, each launch style is tried for all problems at once: the gain of one problem may be too small to be seen.
/// Then the problems are processed from the most expensive (solo latency times uses) down: first other kernels, then
/// other launch styles of the chosen one. A candidate is accepted if it makes the schedules faster by more than noise
/// twice; the next one is then compared with it. At the end all changes are compared with none, and undone if they gain
/// nothing together.
class KernelRefinement {
 public:
  KernelRefinement(CoRunTuner& tuner, const RefinementOptions& options) : tuner_(tuner), options_(options) {}

  /// `progress` is called before each comparison. If it throws, the changes so far are kept, without the final
  /// comparison.
  void run(const std::function<void(const RefinementProgress&)>& progress = {});

  const std::vector<RefinedKernel>& changes() const { return changes_; }
  const std::vector<CommonStyle>& common_styles() const { return common_; }
  int comparisons() const { return comparisons_; }
  const std::vector<std::string>& failures() const { return failures_; }  ///< candidates that could not be built
  bool out_of_time() const { return out_of_time_; }  ///< some candidates are left for the next time
  bool taken_back() const { return taken_back_; }
  /// All changes compared with none; absent if there were none, or run() was stopped.
  const std::optional<KernelComparison>& total() const { return total_; }
  /// The same for each schedule, in the tuner's order; empty if total() is absent.
  const std::vector<KernelComparison>& totals() const { return totals_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Task;
  using Report = std::function<void(const RefinementProgress&)>;

  std::vector<Task> make_tasks();
  std::vector<std::string> kernels_of(const PosedProblem& posed) const;
  std::vector<LaunchVariant> styles_of(const std::string& kernel);
  void refine_together(std::vector<Task>& tasks, const Report& progress);
  void refine(Task& task, const Report& progress);
  bool wins(const KernelComparison& c) const;
  std::optional<KernelComparison> try_out(std::span<const KernelChange> changes);
  RefinedKernel& change_of(const Task& task);
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  bool time_is_up();
  double seconds_for(int candidates) const;
  void settle();

  CoRunTuner& tuner_;
  RefinementOptions options_;
  Clock::time_point start_;
  std::vector<RefinedKernel> changes_;
  std::vector<CommonStyle> common_;
  std::optional<KernelComparison> total_;
  std::vector<KernelComparison> totals_;
  std::vector<std::string> failures_;
  int comparisons_ = 0;
  int problems_ = 0, done_ = 0, left_ = 0;  ///< done_, left_: candidates
  double saved_ = 0;                        ///< ms, over all schedules
  bool out_of_time_ = false, taken_back_ = false;
};

}  // namespace opsched

// Contention-aware choice of kernels: the kernel that is the fastest alone may slow down those that run beside
// it. Coordinate descent over the kernel problems of whole schedules.
#pragma once

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
  double ms = 0;                 ///< alone
  bool leaves_sms_free = false;  ///< uses a part of the multiprocessors: worth a try beside others, however slow alone
  bool operator==(const KernelTime&) const = default;
};

/// What schedules ask of kernels: one problem, as often as they pose it.
struct PosedProblem {
  std::string problem;            ///< Problem::key()
  int uses = 0;                   ///< launches, over all schedules
  std::string chosen;             ///< kernel that runs now
  std::vector<KernelTime> alone;  ///< kernels that work, fastest first; mostly `chosen` among them
  std::set<std::string> tried;    ///< kernels that an earlier refinement has tried with these schedules
};

struct KernelChange {
  std::string problem, kernel;
};

/// Two choices of kernels, whole schedules run in turns. ms, summed over the schedules that hold a changed problem.
struct KernelComparison {
  double before = 0, after = 0;
  double noise = 0;  ///< standard error of after - before
  double saved() const { return before - after; }
};

/// One of the schedules that are tuned together; of one device.
struct CoRunSchedule {
  Graph graph;
  Schedule schedule;
};

/// Whole schedules run with one choice of kernels or another: what KernelRefinement asks.
class CoRunTuner {
 public:
  virtual ~CoRunTuner() = default;
  virtual std::vector<PosedProblem> problems() = 0;
  /// The kernels as chosen against the same with `changes`, in so many turns. Throws Error if a kernel of
  /// the changes cannot be built.
  virtual KernelComparison compare(std::span<const KernelChange> changes, int turns) = 0;
  /// From now on, and in later runs of the program, `kernel` runs; `why` is kept beside it.
  virtual void choose(const std::string& problem, const std::string& kernel, const KernelComparison& why) = 0;
  /// Keeps what need not be tried again with these schedules.
  virtual void remember_tried(const std::string& problem, const std::set<std::string>& kernels) = 0;
};

struct RefinementOptions {
  int candidates = 12;  ///< of a problem, besides those that leave SMs free
  double within =
      1.5;  ///< a candidate takes at most so many times what the fastest takes, alone (not those that leave SMs free)
  double min_gain = 0.002;  ///< of the schedules' latency; less is not worth a change
  double sigmas = 3;        ///< a gain must be larger than so many standard errors
  int turns = 8;            ///< of a first comparison; the one that confirms it has twice as many
  double max_seconds = 0;   ///< stop after that much time; 0: when done
  bool again = false;       ///< also what was tried before
};

struct RefinementProgress {
  int problem = 0, problems = 0;      ///< index from 1, and count
  int candidate = 0, candidates = 0;  ///< of this problem
  const PosedProblem* at = nullptr;
  double saved = 0;         ///< ms so far, over all schedules
  double seconds_left = 0;  ///< a guess from the pace until now; 0: unknown
};

/// A change that was kept.
struct RefinedKernel {
  std::string problem, before, after;
  int uses = 0;
  KernelComparison gain;  ///< the confirming comparisons of all changes of this problem, together
};

/// Goes over the problems from the heaviest (time alone times uses) down. A candidate becomes the choice if
/// it makes the schedules faster by more than noise twice; the next one is then compared with it. In the
/// end all changes are compared with none; if together they gain nothing, all are taken back.
class KernelRefinement {
 public:
  KernelRefinement(CoRunTuner& tuner, const RefinementOptions& options) : tuner_(tuner), options_(options) {}

  /// `progress` is called before each comparison. If it throws, what was chosen until then stays, less
  /// the final comparison.
  void run(const std::function<void(const RefinementProgress&)>& progress = {});

  const std::vector<RefinedKernel>& changes() const { return changes_; }
  int comparisons() const { return comparisons_; }
  const std::vector<std::string>& failures() const { return failures_; }  ///< candidates that could not be built
  bool out_of_time() const { return out_of_time_; }  ///< some candidates are left for the next time
  bool taken_back() const { return taken_back_; }
  /// All changes against none (before: with none); absent if there were none, or run() was stopped.
  const std::optional<KernelComparison>& total() const { return total_; }

 private:
  bool wins(const KernelComparison& c) const;
  void settle();

  CoRunTuner& tuner_;
  RefinementOptions options_;
  std::vector<RefinedKernel> changes_;
  std::optional<KernelComparison> total_;
  std::vector<std::string> failures_;
  int comparisons_ = 0;
  bool out_of_time_ = false, taken_back_ = false;
};

}  // namespace opsched

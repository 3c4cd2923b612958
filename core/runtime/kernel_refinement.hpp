// Contention-aware kernel selection: the kernel that is fastest alone may slow down concurrent ones. Coordinate
// descent over the kernel problems of whole schedules.
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
  /// Compares the current kernels with the same plus `changes`, over this many alternations. Throws Error if a kernel
  /// of the changes cannot be built.
  virtual KernelComparison compare(std::span<const KernelChange> changes, int turns) = 0;
  /// Makes `kernel` the choice from now on, also in later program runs; `why` is stored with it.
  virtual void choose(const std::string& problem, const std::string& kernel, const KernelComparison& why) = 0;
  /// Stores what need not be tried again with these schedules.
  virtual void remember_tried(const std::string& problem, const std::set<std::string>& kernels) = 0;
};

struct RefinementOptions {
  int candidates = 12;      ///< per problem, in addition to those that leave SMs free
  double within = 1.5;      ///< candidates may be this much slower alone than the fastest
  double min_gain = 0.002;  ///< as a fraction of the schedules' latency; smaller gains are ignored
  double sigmas = 3;        ///< a gain must exceed this many standard errors
  int turns = 8;            ///< of a first comparison; the confirming one has twice as many
  double max_seconds = 0;   ///< time limit; 0: none
  bool again = false;       ///< also try what was tried before
};

struct RefinementProgress {
  int problem = 0, problems = 0;      ///< index from 1, and count
  int candidate = 0, candidates = 0;  ///< of this problem
  const PosedProblem* at = nullptr;
  double saved = 0;         ///< ms so far, over all schedules
  double seconds_left = 0;  ///< extrapolated; 0: unknown
};

/// A change that was kept.
struct RefinedKernel {
  std::string problem, before, after;
  int uses = 0;
  KernelComparison gain;  ///< all confirming comparisons of this problem, combined
};

/// Processes the problems from the most expensive (solo latency times uses) down. A candidate is accepted if it makes
/// the schedules faster by more than noise twice; the next one is then compared with it. At the end all changes are
/// compared with none, and undone if they gain nothing together.
class KernelRefinement {
 public:
  KernelRefinement(CoRunTuner& tuner, const RefinementOptions& options) : tuner_(tuner), options_(options) {}

  /// `progress` is called before each comparison. If it throws, the changes so far are kept, without the final
  /// comparison.
  void run(const std::function<void(const RefinementProgress&)>& progress = {});

  const std::vector<RefinedKernel>& changes() const { return changes_; }
  int comparisons() const { return comparisons_; }
  const std::vector<std::string>& failures() const { return failures_; }  ///< candidates that could not be built
  bool out_of_time() const { return out_of_time_; }  ///< some candidates are left for the next time
  bool taken_back() const { return taken_back_; }
  /// All changes compared with none; absent if there were none, or run() was stopped.
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

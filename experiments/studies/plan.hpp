// The measurements on a new GPU that all figures need.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/cases.hpp"

namespace opsched::profile {

struct PlanOptions {
  bool quick = false;                     ///< a first impression: two networks, one precision, batch 1
  int gpus = 1;                           ///< that may be used
  std::vector<std::string> networks;      ///< empty: all, unless there are files
  std::vector<std::string> files{};       ///< graph files, as in bench::Selection
  std::vector<std::string> precisions{};  ///< empty: all
};

/// Cases that belong together, and which figures need them.
struct PlanStep {
  std::string title, needed_for;
  std::vector<bench::Case> cases;  ///< none is in an earlier step
};

/// The documented list (docs/new_gpu.md), without steps that come out empty. Throws Error for unknown names, and if
/// nothing is left.
std::vector<PlanStep> make_plan(const PlanOptions& options);

/// About how long each case takes, in seconds, in the order in which they run: the first on a graph tunes
/// kernels and measures solo latencies (counted by operators), the first search measures stages. Fitted
/// to an H200; only proportions matter once a run has begun.
std::vector<double> expected_seconds(const std::vector<bench::Case>& cases);

}  // namespace opsched::profile

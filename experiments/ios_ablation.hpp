// The ablations of the IOS paper: what each part of the search is worth, and what it costs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "schedulers/ios_search.hpp"

namespace opsched {

/// One search, and its schedule run.
struct AblationRow {
  std::string study, variant;
  double predicted_ms = 0;  ///< sum of the stage latencies
  double run_ms = 0;        ///< of the whole schedule
  int stages = 0;           ///< of the schedule
  SearchStats stats;
};

struct AblationSource {
  /// Costs for one search. The search's cost in time and measurements counts from nothing only if
  /// they know no stage yet. Valid until the next call.
  std::function<CostModel&()> costs;
  /// Latency of a schedule, ms.
  std::function<double(const Schedule&)> run;
  Progress progress;                ///< may be empty
  std::vector<std::string> wanted;  ///< variants; empty: all of a study
  /// Called after every row; may be empty, may throw.
  std::function<void(const AblationRow&)> done;
};

/// Names of the studies:
/// pruning       r in 1..3, s in {3, 8} (the paper's figure of pruning)
/// strategies    merge, parallel, both (the paper's table of schedules)
/// enumerations  single-source, components
/// measuring     stages measured as the model sees need, and all of them
/// barriers      one schedule with barriers, without them, and without them on streams of its own
const std::vector<std::string>& ablation_studies();
/// Names of the searches of the study of pruning: "r=1 s=3", ...
std::vector<std::string> pruning_variants();

/// Throws Error listing the known names where a study is not one of them.
std::vector<AblationRow> ios_ablation(const std::vector<std::string>& studies, const AblationSource& source);

std::string to_json(const std::vector<AblationRow>& rows);

}  // namespace opsched

// The ablations of the IOS paper: the effect and cost of each component of the search.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "schedulers/ios/search.hpp"

namespace opsched {

struct AblationSource {
  /// Costs for the searches from here on. They should know no stage yet, so that everything a search
  /// measures is counted. Valid until the next call.
  std::function<CostModel&()> costs;
  /// Latency of a schedule.
  std::function<bench::Timed(const Schedule&)> run;
  Progress progress;                ///< may be empty
  std::vector<std::string> wanted;  ///< variants of studies of searches; empty: all of a study
  /// Does the record of this study and variant exist? It is then not made again. May be empty.
  std::function<bool(const std::string& study, const std::string& variant)> known;
  /// Called with every record: the latency, labels "study" and "variant", and in its numbers what the search took.
  std::function<void(const bench::Timed&)> done;
};

/// Names of the studies:
/// pruning       r in 1..3, s in {3, 8} (the paper's figure of pruning)
/// strategies    merge, parallel, both (the paper's table of schedules)
/// enumerations  single-source, components
/// measuring     only the stages that the search asks for, then all
/// barriers      one schedule with barriers, without them, and without them on streams of its own
const std::vector<std::string>& ablation_studies();
/// Names of the searches of the study of pruning: "r=1 s=3", ...
std::vector<std::string> pruning_variants();

/// Goes through the studies. Throws Error listing the known names where one is not one of them.
void ios_ablation(const std::vector<std::string>& studies, const AblationSource& source);

}  // namespace opsched

// The ablations of the IOS paper: what each part of the search is worth, and what it costs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "schedulers/ios/search.hpp"

namespace opsched {

/// One search, and its schedule run.
struct AblationRow {
  std::string study, variant;
  double predicted_ms = 0;  ///< sum of the stage latencies
  double bound_ms = 0;      ///< below which the search expects no such sum
  double run_ms = 0;        ///< of the whole schedule
  std::string how;          ///< where run_ms comes from: measured, recorded or simulated
  int stages = 0;           ///< of the schedule
  std::int64_t states = 0, transitions = 0;
  std::int64_t asked_of = 0;  ///< distinct stages
  std::int64_t measured = 0;  ///< stages
  double search_seconds = 0;  ///< measuring included
};

struct AblationSource {
  /// Costs for the searches from here on. What a search takes counts from nothing only if they know no
  /// stage yet. Valid until the next call.
  std::function<CostModel&()> costs;
  /// Latency of a schedule, and its `how`.
  std::function<std::pair<double, std::string>(const Schedule&)> run;
  Progress progress;                ///< may be empty
  std::vector<std::string> wanted;  ///< variants of studies of searches; empty: all of a study
  /// Called after every row; may be empty, may throw.
  std::function<void(const AblationRow&)> done;
};

/// Names of the studies:
/// pruning       r in 1..3, s in {3, 8} (the paper's figure of pruning)
/// strategies    merge, parallel, both (the paper's table of schedules)
/// enumerations  single-source, components
/// measuring     stages measured as the model sees need, then all the others, too
/// barriers      one schedule with barriers, without them, and without them on streams of its own
const std::vector<std::string>& ablation_studies();
/// Names of the searches of the study of pruning: "r=1 s=3", ...
std::vector<std::string> pruning_variants();

/// Goes through the studies; `rows` are those that are there already, of an interrupted run, and get
/// the missing ones added. Throws Error listing the known names where a study is not one of them.
void ios_ablation(const std::vector<std::string>& studies, const AblationSource& source,
                  std::vector<AblationRow>& rows);

/// What a file of `opsched ablation` holds.
struct AblationFile {
  std::string origin;  ///< where the numbers come from, and where searches began
  std::string graph, precision;
  std::vector<AblationRow> rows;
};
/// How the origin ends when every search began with an empty profile.
inline const std::string kFromEmptyProfile = ", every search from an empty profile";

/// {"origin", "graph", "precision", "rows": [...]}.
std::string ablation_to_json(const std::string& origin, const std::string& graph, const std::string& precision,
                             const std::vector<AblationRow>& rows);
/// Nothing if there is no such file. Throws Error naming it where it cannot be read.
std::optional<AblationFile> read_ablation(const std::string& path);
/// The rows of a file; none if it is missing. Throws Error where it is not about the same.
std::vector<AblationRow> load_ablation(const std::string& path, const std::string& origin, const std::string& graph,
                                       const std::string& precision);

}  // namespace opsched

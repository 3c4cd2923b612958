// The IOS dynamic program (MLSys 2021, algorithm 1), and an efficient way to run it on measured costs.
#pragma once

#include "schedulers/ios/part.hpp"

namespace opsched {

struct IosSearchOptions {
  IosOptions space{.max_transitions = 250'000'000};  ///< 8 bytes each are held
  double tolerance = 0.01;                           ///< tolerated distance from the best schedule, as a fraction
  int max_measured = kUnlimited;                     ///< maximum number of stages; then the search stops
  /// Number of measured stages of a part (equal ones counted once) after which the search leaves it, unless its best
  /// schedule improved by more than the tolerance meanwhile.
  int patience = kUnlimited;
  bool exhaustive = false;  ///< query the latency of every stage
  /// A part that is too wide is halved until it is small enough. A part given by the graph may have max_transitions; a
  /// block without parts this many, and a piece of one a tenth. 0: throw Error instead.
  std::int64_t split_transitions = 0;
};

/// The options of the ios schedulers, parsed and checked: r, s, enumeration, max-part-size, tolerance, max-measured,
/// patience, exhaustive. Strategies stay at both.
IosSearchOptions ios_search_options(const SchedulerOptions& options);
/// Their names and meanings.
std::map<std::string, std::string> ios_option_texts();

/// Statistics of a search; sums over the parts.
struct SearchStats {
  int parts = 0;
  std::int64_t states = 0, transitions = 0;
  std::int64_t stages = 0;    ///< distinct (strategy, operators)
  std::int64_t known = 0;     ///< stages whose latency the cost model knew in advance
  std::int64_t measured = 0;  ///< unknown stages that were queried, with equal ones counted once
  int rounds = 0;             ///< of measuring
  int cuts = 0;               ///< number of cuts of parts that were too wide; no stage crosses a cut
  /// Stopped at max_measured or by patience: the best schedule may be further away than the tolerance.
  bool gave_up = false;
  double enumerate_seconds = 0, seconds = 0;
};

struct IosResult {
  Schedule schedule;  ///< barrier mode, one device
  double ms = 0;      ///< sum of its stage latencies
  /// Optimistic bound: no schedule is expected to be below it; equals ms if the search was exhaustive.
  double bound_ms = 0;
  SearchStats stats;
};

/// The cheapest schedule of stages, block after block, part after part. Where the cost model knows
/// every stage (or options.exhaustive) it is exact. Otherwise:
/// - a model that measures is asked only for stages that may matter: in rounds, the best schedule
///   under hopeful latencies (those known; else the estimate, corrected by what the known ones teach,
///   two deviations down, but not below the lower bound) has its unknown stages measured, until no
///   hopeful schedule is better by more than the tolerance than the best one whose stages are known;
/// - a recorded model is not asked for more than it holds. The best schedule of known stages is the
///   answer, unless one with estimates is clearly better: on the profile that a measuring search has
///   left, that one's schedule. Else stages that it does not know count as their corrected estimate two
///   deviations up.
/// Throws Error for bad options and for parts that are too wide. `progress` is called between
/// measurements and may throw; what was measured is then in the cost model, and `found` is told the best schedule so
/// far before that is passed on.
IosResult ios_search(CostModel& cost, const IosSearchOptions& options, const Progress& progress = {},
                     const std::function<void(const Schedule&)>& found = {});

/// The search as called by a scheduler: `note` of the request is told what was skipped.
IosResult ios_search(const SchedulerRequest& request, const IosSearchOptions& options,
                     const std::function<void(const Schedule&)>& found);

}  // namespace opsched

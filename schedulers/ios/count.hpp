// Counts of the IOS search space (IOS, table 1), exact.
#pragma once

#include "schedulers/ios/part.hpp"

namespace opsched {

/// Counts of one part, or the totals.
struct IosCount {
  std::string block;
  int part = 0;
  int operators = 0;
  int width = 0;                 ///< maximum number of groups in the enumerated concurrent stages
  std::int64_t states = 0;       ///< distinct sets of operators left to run
  std::int64_t transitions = 0;  ///< (state, last stage) pairs
  std::string schedules;         ///< paths through the transitions: a decimal number
  std::int64_t stages = 0;       ///< distinct (strategy, operators): latencies needed
};

struct IosCounts {
  std::vector<IosCount> parts;  ///< block after block, part after part
  /// Sums; the maximum for width; the product for schedules, because a schedule of the graph chooses one for each
  /// part.
  IosCount total;
  double seconds = 0;  ///< of enumeration
};

/// Throws Error for invalid options and for parts that are too wide.
IosCounts count_graph(const Graph& graph, const IosOptions& options);

/// {"blocks": [{"block", "part", "operators", "width", "states", "transitions", "schedules",
/// "stages"}, ...], "totals": {...}, "seconds"}
std::string to_json(const IosCounts& counts);

}  // namespace opsched

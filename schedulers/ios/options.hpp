// What the IOS search enumerates (Ding et al., "IOS", MLSys 2021).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {

/// Which endings become concurrent stages. single_source: a group is one operator with all its descendants in the set,
/// and groups are disjoint (enumerated by the paper's public code and counted in its table 1). components: any ending;
/// its groups are its connected components (the paper's definition).
enum class Enumeration { single_source, components };
std::string to_string(Enumeration enumeration);
/// Throws Error listing the known names.
Enumeration parse_enumeration(const std::string& name);

/// A part has more states or transitions than the search allows.
class TooWide : public Error {
 public:
  using Error::Error;
};

inline constexpr int kUnlimited = std::numeric_limits<int>::max();

struct IosOptions {
  Enumeration enumeration = Enumeration::single_source;
  bool concurrent = true, merge = true;  ///< strategies; at least one
  int group_size = 3;                    ///< r: maximum number of operators in a group; does not apply to merge stages
  int groups = 8;                        ///< s: maximum number of groups in a stage
  int max_part_size = 100;               ///< divide a block without parts into runs of this many operators
  /// Limits beyond which the search throws Error (for a part that is too wide to enumerate).
  std::int64_t max_states = 20'000'000;
  std::int64_t max_transitions = 1'000'000'000;
  bool may_split = false;  ///< throw TooWide immediately, without counting, if such a part can be divided
  /// Called about every tenth of a second during enumeration, and between parts; may be empty, may throw.
  std::function<void()> poll = {};
};

/// "concurrent", "merge" or both, separated by a comma. Throws Error listing the known names.
void parse_strategies(const std::string& text, IosOptions& options);
/// Throws Error if a bound is below 1 or no strategy is left.
void check(const IosOptions& options);

}  // namespace opsched

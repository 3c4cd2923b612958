// The kind of a stage: a hash of its key (signature.hpp) without the wiring.
//
// There are far fewer kinds than stages, and stages of one kind have similar latencies. The estimates of the
// contention model do not depend on the wiring.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// Of an operator_signature.
std::uint64_t operator_hash(std::string_view signature);

/// The order of groups does not matter. The order of operators matters within a group, but not in a merge.
class KindHash {
 public:
  /// A merge of a single operator counts as concurrent, as in keys.
  KindHash(int batch, Strategy strategy);
  void add(std::uint64_t operator_hash);
  void end_group();
  /// Call after the last group has ended.
  std::uint64_t value() const { return sum_; }

 private:
  bool merge_;
  std::uint64_t sum_, group_ = 0;
};

/// Equal for stages with equal keys. Throws Error if the text is not a stage key.
std::uint64_t kind_of_key(std::string_view key);

}  // namespace opsched

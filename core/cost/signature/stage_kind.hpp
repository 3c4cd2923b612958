// The kind of a stage: its key (signature.hpp) with the wiring left out, as a hash.
//
// Kinds are much fewer than stages, and stages of one kind take about the same: what the contention
// model says of them does not depend on the wiring.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// Of an operator_signature.
std::uint64_t operator_hash(std::string_view signature);

/// The order of groups does not matter; that of operators does within a group, but not in a merge.
class KindHash {
 public:
  /// A merge of a single operator is concurrent, as in keys.
  KindHash(int batch, Strategy strategy);
  void add(std::uint64_t operator_hash);
  void end_group();
  /// After the last group has ended.
  std::uint64_t value() const { return sum_; }

 private:
  bool merge_;
  std::uint64_t sum_, group_ = 0;
};

/// Equal for stages of equal keys. Throws Error where the text is no stage key.
std::uint64_t kind_of_key(std::string_view key);

}  // namespace opsched

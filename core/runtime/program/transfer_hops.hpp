// A program that only moves a tensor between two devices, to measure transfers.
#pragma once

#include "core/runtime/program/program.hpp"

namespace opsched {

struct TransferHops {
  int from = 0, to = 1;    ///< devices; the first hop goes this way, the next one back
  std::int64_t bytes = 4;  ///< of the tensor; rounded down to whole elements, one at least
  int count = 2;           ///< hops, each of which waits for the one before
};

/// A program on that many devices that does nothing but the hops.
Program lower(const TransferHops& hops, int devices, const LoweringOptions& options);

}  // namespace opsched

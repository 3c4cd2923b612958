// Latencies of transfers over links of one kind.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "core/cost/profile/profile_entry.hpp"

namespace opsched {

/// Measured transfers by (from, to, bytes).
using Transfers = std::map<std::tuple<int, int, std::int64_t>, ProfileEntry>;

/// Was any transfer measured from one device to the other?
bool holds_pair(const Transfers& transfers, int from, int to);

/// Interpolated between the measured sizes of the pair, and extrapolated by the bandwidth at the end. For an
/// unmeasured pair: the median over the measured ones, or nothing if there are none.
std::optional<double> transfer_latency(const Transfers& transfers, int from, int to, std::int64_t bytes);

}  // namespace opsched

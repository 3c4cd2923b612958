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

/// Was anything measured from one device to the other?
bool holds_pair(const Transfers& transfers, int from, int to);

/// Interpolated between the measured sizes of the pair, beyond them by the bandwidth at the end; a pair that was never
/// measured: the median over those that were. Nothing if none was.
std::optional<double> transfer_latency(const Transfers& transfers, int from, int to, std::int64_t bytes);

}  // namespace opsched

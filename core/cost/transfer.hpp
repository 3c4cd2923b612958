// The data to be moved between operators on different devices.
#pragma once

#include <cstdint>

#include "core/graph/graph.hpp"
#include "core/precision.hpp"

namespace opsched {

/// Bytes of the producer's channels that the consumer reads, for the images and rows that the one writes and the other
/// reads. Each channel counts once.
std::int64_t transfer_bytes(const Graph& graph, OpId producer, OpId consumer, Precision precision);

}  // namespace opsched

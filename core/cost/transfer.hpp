// What has to be moved when two operators sit on different devices.
#pragma once

#include <cstdint>

#include "core/graph/graph.hpp"
#include "core/precision.hpp"

namespace opsched {

/// Bytes of the producer's channels and rows that the consumer reads, whole batch, each channel once. Of a strip only
/// its own rows.
std::int64_t transfer_bytes(const Graph& graph, OpId producer, OpId consumer, Precision precision);

}  // namespace opsched

// What a process must know to make its part of a schedule ready.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "core/precision.hpp"
#include "core/runtime/program/transfer_hops.hpp"
#include "core/runtime/program/waits.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

struct PartRequest {
  std::string back_end;  ///< PartRuntime::name()
  Precision precision = Precision::fp32;
  Graph graph;
  Schedule schedule;  ///< of `graph`
  std::uint64_t seed = 1;
  Waits waits = Waits::needed;
  std::vector<int> process_of;         ///< of each device
  std::optional<TransferHops> hops{};  ///< in place of a schedule, to time links; then nothing of the graph is used
};

/// For other processes of the same build: the graph with its weights, bit by bit.
std::string to_bytes(const PartRequest& request);
/// Throws Error for what is not of to_bytes, or comes out as another graph.
PartRequest part_request_from(const std::string& bytes);

}  // namespace opsched

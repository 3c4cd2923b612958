// Replays of a captured program, measured by a protocol.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/protocol.hpp"

namespace opsched {

/// What protocols are measured on: a program that was fed and has run, on the devices of its schedule.
struct ProtocolSubject {
  CapturedProgram& program;
  std::span<DeviceContext* const> devices;
  std::function<std::vector<double>(int)> burst;                ///< samples of queued replays
  std::function<std::unique_ptr<CapturedProgram>()> another{};  ///< the same program, fed, in memory of its own
};

/// Samples in the protocol's unit; clocks of the first device are sampled meanwhile. Throws Error where the host cannot
/// measure so, and for burst, which has no fixed count.
std::vector<double> sample_protocol(const Protocol& protocol, const ProtocolSubject& subject);

}  // namespace opsched

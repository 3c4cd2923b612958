// Replays of a captured program, measured by a protocol.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/protocol.hpp"

namespace opsched {

/// The object that protocols measure: a program with inputs that has run, on the devices of its schedule.
struct ProtocolSubject {
  CapturedProgram& program;
  std::span<DeviceContext* const> devices;
  std::function<std::vector<double>(int)> burst;                ///< samples of queued replays
  std::function<std::unique_ptr<CapturedProgram>()> another{};  ///< the same program with inputs, in separate memory
};

/// Samples in the protocol's unit; clocks of the first device are sampled meanwhile. Throws Error if the host does not
/// support the protocol, and for burst, which has no fixed count.
std::vector<double> sample_protocol(const Protocol& protocol, const ProtocolSubject& subject);

}  // namespace opsched

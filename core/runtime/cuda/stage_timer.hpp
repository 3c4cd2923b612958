// Latency of a stage inside a CUDA graph.
#pragma once

#include "core/cost/profile.hpp"
#include "core/runtime/cuda/device_context.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Times a stage as schedules run it: replicated in one CUDA graph, barriers between the replicas,
/// each replica with weights of its own from a pool larger than the L2 cache, activations warm. What
/// launching the graph costs is measured once and taken off, so stage latencies add up.
class StageTimer {
 public:
  StageTimer(const Graph& graph, DeviceContext& device, Precision precision);
  Record time(const Stage& stage);

 private:
  Measurement replay(const Stage& stage, int replicas);

  const Graph& graph_;
  DeviceContext& device_;
  Precision precision_;
  double launch_ms_ = -1;  ///< of a graph, whatever is in it; negative: not measured yet
};

}  // namespace opsched

// Latency of stages inside a CUDA graph.
#pragma once

#include <span>
#include <vector>

#include "core/cost/profile/measured.hpp"
#include "core/runtime/cuda/device/peer_access.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"
#include "core/runtime/program/kernel_problem.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Times a stage the way schedules run it: replicated in one CUDA graph with barriers between the replicas, each with
/// its own weights. Between two replays, as many bytes as the network has weights pass through the L2 cache, so
/// weights are as cold as in the network; activations are warm. The launch cost of the graph is measured once and
/// subtracted, so stage latencies add up. The latency of a merge includes the slowdown of its readers, which read
/// parts of its output.
class StageTimer {
 public:
  using Done = Stopwatch::Done;

  StageTimer(const Graph& graph, const Connect& connect, Precision precision);
  /// The host builds the graphs of the next stages while the GPU runs those of the ones before.
  void time(std::span<const StageRequest> requests, const Done& done);
  /// A whole schedule, on all its devices, replayed repeatedly.
  ProfileEntry time(const Schedule& schedule);
  /// Several schedules in alternation, for comparison.
  std::vector<ProfileEntry> time_in_turn(std::span<const Schedule> schedules);

 private:
  struct InFlight;

  Program lowered(const Stage& stage, int replicas, std::span<const Group> merges = {}) const;
  std::vector<Problem> problems_of(const Program& program) const;
  /// `readers`: slower_readers() of each request.
  void prepare_kernels(std::span<const StageRequest> requests, std::span<const std::vector<Stage>> readers);
  CapturedProgram capture(Program program);
  PendingReplays enqueue(const CapturedProgram& captured, int warmup, int runs);
  /// Latency of a graph of this many nearly empty kernels in sequence.
  double tiny_kernels(int count);
  /// A single stage, with as many runs as its noise requires.
  Measurement measure(const Stage& stage, int replicas);
  ProfileEntry record(const InFlight& stage, const Measurement& measured) const;
  /// Stages of the operators whose kernel problems change because this stage is a merge.
  std::vector<Stage> slower_readers(const Stage& stage) const;
  /// Slowdown of these readers, ms, when these convolutions are merged.
  double more_ms(std::span<const Stage> readers, const Group& merged);

  const Graph& graph_;
  Connect connect_;
  DeviceContext& device_;  ///< the first device, where stages run
  Precision precision_;
  std::size_t weight_bytes_ = 0;  ///< of the whole graph
  bool warm_ = false;
  double launch_ms_ = -1;  ///< launch cost of any graph; negative: not measured yet
};

}  // namespace opsched

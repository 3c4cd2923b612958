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

/// Times a stage as schedules run it: replicated in one CUDA graph, barriers between the replicas,
/// each replica with weights of its own. Between two replays as many bytes pass through the L2 cache
/// as the network has weights, so weights are as cold as in the network; activations are warm. What
/// launching the graph costs is measured once and taken off, so stage latencies add up. A merge's latency includes
/// what its readers take longer because they read parts of its output.
class StageTimer {
 public:
  using Done = Stopwatch::Done;

  StageTimer(const Graph& graph, const Connect& connect, Precision precision);
  /// The host builds the graphs of the next stages while the GPU runs those of the ones before.
  void time(std::span<const StageRequest> requests, const Done& done);
  /// A whole schedule, on all its devices, replayed again and again.
  ProfileEntry time(const Schedule& schedule);
  /// Several in turn, to be compared.
  std::vector<ProfileEntry> time_in_turn(std::span<const Schedule> schedules);

 private:
  struct InFlight;

  Program lowered(const Stage& stage, int replicas, std::span<const Group> merges = {}) const;
  std::vector<Problem> problems_of(const Program& program) const;
  /// `readers`: slower_readers() of each request.
  void prepare_kernels(std::span<const StageRequest> requests, std::span<const std::vector<Stage>> readers);
  CapturedProgram capture(Program program);
  PendingReplays enqueue(const CapturedProgram& captured, int warmup, int runs);
  /// Latency of a graph of so many kernels, one after another, that do next to nothing.
  double tiny_kernels(int count);
  /// A stage by itself, with as many runs as its noise asks for.
  Measurement measure(const Stage& stage, int replicas);
  ProfileEntry record(const InFlight& stage, const Measurement& measured) const;
  /// Stages of the operators that have other problems to solve behind this stage, because it is a merge.
  std::vector<Stage> slower_readers(const Stage& stage) const;
  /// What these readers take longer, ms, when these convolutions are merged.
  double more_ms(std::span<const Stage> readers, const Group& merged);

  const Graph& graph_;
  Connect connect_;
  DeviceContext& device_;  ///< the first, where stages run
  Precision precision_;
  std::size_t weight_bytes_ = 0;  ///< of the whole graph
  bool warm_ = false;
  double launch_ms_ = -1;  ///< of a graph, whatever is in it; negative: not measured yet
};

}  // namespace opsched

// Kernels and copies of a CUDA graph in one replay, from CUPTI's activity records.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/program/program_trace.hpp"

namespace opsched {

/// CUPTI tracing, from construction to destruction; only one at a time in a process. Create it before the graph is
/// captured, so that CUPTI knows its nodes.
class ReplayTracer {
 public:
  /// Throws Error if there is no CUPTI or another profiler is attached.
  ReplayTracer();
  ~ReplayTracer();
  ReplayTracer(const ReplayTracer&) = delete;
  ReplayTracer& operator=(const ReplayTracer&) = delete;

  /// Instantiates the graph with `flags`, launches it `replays` times on `stream`, one after another, and gives the
  /// records of the replay of median length (first start to last end). `nodes`: of each step. `device` of a record that
  /// belongs to no step is CUDA's number. Throws Error if records are lost, or none belongs to a step.
  std::vector<StepActivity> record(const CudaGraph& graph, const StepNodes& nodes, cudaStream_t stream, int replays,
                                   unsigned long long flags = 0);

 private:
  void stop();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace opsched

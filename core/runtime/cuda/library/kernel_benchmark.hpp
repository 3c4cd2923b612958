// Correctness checks and benchmarks of single kernels.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"

namespace opsched {

/// Environment for benchmarks: a stream, and memory larger than the L2 cache to evict weights.
class BenchmarkContext {
 public:
  BenchmarkContext();
  cudaStream_t stream() const { return stream_.get(); }
  void flush_cache() const;
  const Event& begin() const { return begin_; }
  const Event& end() const { return end_; }

 private:
  Stream stream_;
  Event begin_, end_;
  DeviceBuffer flush_;
};

/// One problem with random tensors. As in a network, inputs are in the cache when a kernel starts and weights are not:
/// each launch in a row reads a different copy of the weights.
class KernelBenchmark {
 public:
  /// `workspace_bytes`: the maximum over the kernels.
  KernelBenchmark(const Problem& problem, const BenchmarkContext& context, std::size_t workspace_bytes = 0);
  ~KernelBenchmark();

  /// Runs once on poisoned memory and compares with a plain reference. Throws Error if an output was not written, if
  /// something else was, or if the error exceeds kernel_tolerance().
  double check(const Kernel& kernel);
  /// ms of one launch after check(), as a first estimate.
  double once(const Kernel& kernel);
  /// Several launches in a CUDA graph, timed by events in the graph, so that a busy host does not affect them.
  class Series {
   public:
    /// ms per launch including the memset of 4 bytes after it, for one run of the graph.
    double run(const BenchmarkContext& context) const;

   private:
    friend class KernelBenchmark;
    double replay(const BenchmarkContext& context) const;
    GraphExec graph_;
    int launches_ = 0;
  };
  /// After check(): as many launches as fit a kernel of about this latency.
  Series series(const Kernel& kernel, double about_ms);

 private:
  Series capture(const Kernel& kernel, int launches);
  const void* weights_for(const Kernel& kernel, int copy);
  void launch(const Kernel& kernel, const void* weights);

  struct Data;
  std::unique_ptr<Data> data_;
};

/// Launches every kernel once on scratch memory, so that its code is loaded before a stream capture.
void load_code(const std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>>& kernels);

}  // namespace opsched

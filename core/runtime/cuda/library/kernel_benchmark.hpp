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
  /// A stream that a capture forks from stream(), and joins again.
  struct Fork {
    Stream stream = make_stream();
    Event begun = make_event(false), ended = make_event(false);
  };
  static constexpr int kForks = 4;
  const Fork& fork(int i) const { return forks_[i]; }

 private:
  Stream stream_;
  Event begin_, end_;
  Fork forks_[kForks];
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
    /// ms per launch, for one run of the graph. Without others at the same time, a memset of 4 bytes after each launch
    /// is included.
    double run(const BenchmarkContext& context) const;
    /// ms per launch while the graph runs without pause, so with the clocks that the kernel's power allows: it runs for
    /// about `ms`, and then for about `ms` that are timed. `about_ms`: of a launch.
    double sustained(const BenchmarkContext& context, double about_ms, double ms) const;

   private:
    friend class KernelBenchmark;
    double replay(const BenchmarkContext& context) const;
    GraphExec graph_;
    int launches_ = 0;
  };
  /// As many launches as fit a kernel of about this latency, on each of so many streams at the same time (at most
  /// BenchmarkContext::kForks; each needs a workspace).
  Series series(const Kernel& kernel, double about_ms, int streams = 1);

 private:
  Series capture(const Kernel& kernel, int launches, int streams);
  void launch_in_a_row(const Kernel& kernel, int launches);
  void launch_side_by_side(const Kernel& kernel, int launches, int streams);
  const void* weights_for(const Kernel& kernel, int copy);
  void launch(const Kernel& kernel, cudaStream_t stream, int copy, std::size_t workspace_offset = 0);

  struct Data;
  std::unique_ptr<Data> data_;
};

/// Launches every kernel once on scratch memory, so that its code is loaded before a stream capture.
void load_code(const std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>>& kernels);

}  // namespace opsched

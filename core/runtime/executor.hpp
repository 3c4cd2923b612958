// What every back end offers: run a schedule for its numbers, or for its latency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/runtime/measurement.hpp"
#include "core/runtime/program/waits.hpp"
#include "core/runtime/protocol.hpp"
#include "core/runtime/tensor.hpp"
#include "core/runtime/trace/active_warps.hpp"
#include "core/runtime/trace/trace.hpp"

namespace opsched {

/// What making a schedule ready to run costs, once for all its runs; medians of several times, ms.
struct Preparation {
  double capture_ms = 0;      ///< its launches into a graph; kernels chosen and memory placed before
  double instantiate_ms = 0;  ///< the graph into one that can be launched
  double upload_ms = 0;       ///< that to the device
  int nodes = 0;              ///< of the graph
  int waits = 0;              ///< dependences between streams
};

/// The kernel that a problem of a program got: Problem::key() and the kernel's name in the library, which rebuilds it.
struct KernelChoice {
  std::string problem, kernel;
  bool operator==(const KernelChoice&) const = default;
};

/// A graph and a validated schedule made ready to run. Not thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs once. `inputs`: one tensor for each Graph::inputs(), in order; result: one for each
  /// Graph::outputs(), in order.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;
  /// Latencies of `count` runs, ms, one for each, in the order in which they ran. Runs follow each other without
  /// gaps and do not overlap; a warm-up comes before the first call. A back end that looks the latency up or
  /// simulates it answers with that one number, whatever the count. Throws Error where nothing can be timed.
  virtual std::vector<double> sample(int count) = 0;
  /// Samples until their noise is small.
  virtual Measurement measure(const MeasureOptions& options) = 0;
  /// Samples of a run as a protocol says, in its unit; a warm-up comes first. Throws Error where the back end or the
  /// host cannot measure so.
  virtual std::vector<double> sample_by(const Protocol& protocol);
  /// While the last sample(), measure() or sample_by() ran. Default: unknown.
  virtual Clocks clocks() const { return {}; }
  /// With which kernels it runs: every distinct problem once, by key. Default: none, where there is no choice.
  virtual std::vector<KernelChoice> kernels() const { return {}; }
  /// What runs when, in one run. Throws Error where the back end cannot tell.
  virtual Trace trace();
  /// Throws Error where the back end prepares nothing.
  virtual Preparation preparation();
  /// Warps on a multiprocessor over time, counted by the hardware in one run. Throws Error where the back
  /// end, the driver or the build cannot.
  virtual std::vector<WarpSample> count_warps();
  /// Peak bytes of activations on a device.
  virtual std::int64_t activation_bytes(int device) const = 0;
  /// Bytes that go from device to device in a run; the same tensor goes to a device once.
  virtual std::int64_t transfer_bytes() const = 0;
};

}  // namespace opsched

// The back-end interface: run a schedule for its outputs or its latency.
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

/// One-time cost of preparing a schedule; medians of several times, ms.
struct Preparation {
  double capture_ms = 0;      ///< capturing its launches into a graph, with kernels chosen and memory placed before
  double instantiate_ms = 0;  ///< instantiating the graph
  double upload_ms = 0;       ///< that to the device
  int nodes = 0;              ///< of the graph
  int waits = 0;              ///< dependences between streams
};

/// The kernel of a problem in a program: Problem::key() and the kernel's name in the library, from which it can be
/// rebuilt.
struct KernelChoice {
  std::string problem, kernel;
  bool operator==(const KernelChoice&) const = default;
};

/// A graph and a validated schedule, prepared to run. Not thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs once. `inputs`: one tensor for each of Graph::inputs(), in order. Result: one for each of Graph::outputs(),
  /// in order.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;
  /// Latencies of `count` runs, ms, in the order in which they ran. Runs follow each other without gaps and do not
  /// overlap; the first call warms up. A back end that looks up or simulates the latency returns that single number,
  /// whatever the count. Throws Error if nothing can be timed.
  virtual std::vector<double> sample(int count) = 0;
  /// Samples until the noise is small.
  virtual Measurement measure(const MeasureOptions& options) = 0;
  /// Samples by a protocol, in its unit, after a warm-up. Throws Error if the back end or host does not support the
  /// protocol.
  virtual std::vector<double> sample_by(const Protocol& protocol);
  /// Clocks during the last sample(), measure() or sample_by(). Default: unknown.
  virtual Clocks clocks() const { return {}; }
  /// The kernels: every distinct problem once, by key. Default: none, if there is no choice.
  virtual std::vector<KernelChoice> kernels() const { return {}; }
  /// The timeline of one run. Throws Error if the back end does not support it.
  virtual Trace trace();
  /// Throws Error if the back end has no preparation.
  virtual Preparation preparation();
  /// Active warps per multiprocessor over time, counted by the hardware in one run. Throws Error if the back end,
  /// driver or build does not support it.
  virtual std::vector<WarpSample> count_warps();
  /// Peak bytes of activations on a device.
  virtual std::int64_t activation_bytes(int device) const = 0;
  /// Bytes transferred between devices in a run; a tensor is sent to a device only once.
  virtual std::int64_t transfer_bytes() const = 0;
};

}  // namespace opsched

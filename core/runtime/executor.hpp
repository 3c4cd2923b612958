// What every back end offers: run a schedule for its numbers, or for its latency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/precision.hpp"
#include "core/runtime/tensor.hpp"
#include "core/runtime/trace/active_warps.hpp"
#include "core/runtime/trace/trace.hpp"

namespace opsched {

struct MeasureOptions {
  int warmup = 10;  ///< replays before, the first one always; none begins after a fifth of max_seconds
  int min_runs = 30, max_runs = 2000;
  double max_noise = 0.005;  ///< stop when the standard error of the median falls below this part of it
  double max_seconds = 2.0;  ///< or when this much time has passed
};

/// Latency of a schedule, ms.
struct Measurement {
  double median = 0, mean = 0, min = 0, max = 0;
  double noise = 0;  ///< median absolute deviation over the median
  int runs = 0;
  Source source = Source::measured;
  int sm_clock_mhz = 0, memory_clock_mhz = 0;  ///< lowest seen while measuring; 0: unknown
  bool throttled = false;
  std::string note;  ///< device, or what was replayed
};

/// Which waits of a step for others are executed: those that no other wait and no stream implies (the
/// transitive reduction), or one for every step whose output it reads. For what that costs.
enum class Waits { needed, all };

/// What making a schedule ready to run costs, once for all its runs; medians of several times, ms.
struct Preparation {
  double capture_ms = 0;      ///< its launches into a graph; kernels chosen and memory placed before
  double instantiate_ms = 0;  ///< the graph into one that can be launched
  double upload_ms = 0;       ///< that to the device
  int nodes = 0;              ///< of the graph
  int waits = 0;              ///< dependences between streams
};

/// A graph and a validated schedule made ready to run. Not thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs once. `inputs`: one tensor for each Graph::inputs(), in order; result: one for each
  /// Graph::outputs(), in order.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;
  /// Repeats the schedule until its noise is small.
  virtual Measurement measure(const MeasureOptions& options) = 0;
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

// Roofline limits of a network on a device, and where a schedule's time goes.
#pragma once

#include "core/cost/cost_model.hpp"
#include "core/runtime/trace/trace.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

/// Peak rates of a device, measured on one large convolution, and on one sum of tensors far larger than its cache.
struct DeviceLimits {
  double macs_per_ms = 0;   ///< multiply-accumulates
  double bytes_per_ms = 0;  ///< read and written
};

/// Throws Error on a recorded device that did not run them.
DeviceLimits measure_limits(Device& device, Precision precision);

/// No schedule of these kernels can be shorter than the critical path, and no kernels can make the network faster than
/// the other two limits. All in ms.
struct Roofline {
  double critical_path = 0;  ///< longest chain of solo latencies
  double arithmetic = 0;     ///< all multiply-accumulates at the measured rate
  double memory = 0;         ///< weights, inputs and outputs once, at the measured bandwidth
};

Roofline roofline(CostModel& costs, Precision precision, const DeviceLimits& limits);

/// Where the time of one run goes; parts of Trace::makespan, ms, on device 0.
struct TimeSpent {
  int kernels = 0;
  double idle = 0;   ///< no kernel running: launches, dependences
  double small = 0;  ///< all running kernels have fewer blocks than the device has multiprocessors
  double full = 0;   ///< the rest
};

/// Throws Error for a simulated trace.
TimeSpent time_spent(const Trace& trace, int multiprocessors);

}  // namespace opsched

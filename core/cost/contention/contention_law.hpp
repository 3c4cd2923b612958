// How operators that run at the same time on one device, and transfers, slow each other down.
#pragma once

#include <limits>
#include <span>
#include <vector>

namespace opsched {

/// An operator as the contention law sees it.
struct Task {
  double ms = 0;           ///< latency alone
  double utilisation = 1;  ///< part of the device that it keeps busy when alone, in (0, 1]
};

/// Processor law, soft at the edge of saturation: an operator of utilisation u beside others, n and of
/// utilisation U all together, runs (1 + U^p - u^p)^(1/p) times longer, times a factor for interference that grows
/// with n. With p without bound that is max(1, U): full speed until the device is full. HIOS's formula (CLUSTER 2023,
/// eq. 1) lies between p = 1 and that.
struct ContentionLaw {
  double exponent = std::numeric_limits<double>::infinity();  ///< p, at least 1
  double interference = 0;
  double fork_ms = 0;          ///< a stage: for every group beyond the first
  double chain_ms = 0;         ///< saved by an operator that follows another in its group or on its stream
  double dependency_ms = 0;    ///< dataflow: between an operator and a reader on another stream
  double switch_ms = 0;        ///< a schedule: an operator of one kernel, over what it takes when it is repeated
  double chain_switch_ms = 0;  ///< the same, of an operator of several kernels: those differ when repeated, too
  double launch_ms = 0;        ///< a schedule: before its first operator starts
  double device_ms = 0;        ///< a schedule: for every device that it uses beyond the first
  /// Of a transfer: the time in which it keeps nothing busy. For the rest it has the port out of its device
  /// and the port into the other to itself. Infinite: transfers do not wait for each other, as in HIOS.
  double transfer_latency_ms = std::numeric_limits<double>::infinity();
  bool operator==(const ContentionLaw&) const = default;

  /// How many times longer than alone; `total` includes `utilisation`. The interference factor is 1 + c (1 - 1/n).
  double slowdown(double utilisation, double total, int running) const;
  /// Of an operator that follows another: `ms` less chain_ms, but never less than a fifth of it.
  double following_ms(double ms) const;
};

/// Latency of groups that run side by side, each in order, ms. Not slowdown()'s factor: 1 + c (n - 1) (simulator.md).
double concurrent_ms(std::span<const std::vector<Task>> groups, const ContentionLaw& law);

}  // namespace opsched

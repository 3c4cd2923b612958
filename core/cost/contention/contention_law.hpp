// How concurrent operators on a device, and concurrent transfers, slow each other down.
#pragma once

#include <limits>
#include <span>
#include <vector>

namespace opsched {

/// An operator in the contention law.
struct Task {
  double ms = 0;           ///< latency alone
  double utilisation = 1;  ///< fraction of the device it uses when alone, in (0, 1]
};

/// A task, and its utilisation raised to a law's exponent.
struct PoweredTask {
  Task task;
  double power = 1;
};

/// Processor sharing with a soft transition to saturation: an operator of utilisation u among n operators of total
/// utilisation U takes (1 + U^p - u^p)^(1/p) times as long, times an interference factor that grows with n. For p to
/// infinity this is max(1, U): full speed until the device is full. HIOS's formula (CLUSTER 2023, eq. 1) lies between
/// p = 1 and this limit.
struct ContentionLaw {
  double exponent = std::numeric_limits<double>::infinity();  ///< p, at least 1
  double interference = 0;
  double fork_ms = 0;   ///< stage: for every group beyond the first
  double chain_ms = 0;  ///< stage: saved by an operator that follows another in its group
  /// Dataflow: the part of an operator's latency, at its beginning, in which it uses none of the device. Concurrent
  /// operators do not make it longer.
  double start_ms = 0;
  double dependency_ms = 0;  ///< dataflow: between an operator and a reader on another stream
  double remote_ms = 0;      ///< schedule: extra time of an operator that reads from, or is read by, another device
  double switch_ms = 0;      ///< schedule: extra time of an operator with one kernel, compared with repeating it
  /// The same for an operator with several kernels, which switches kernels even when repeated.
  double chain_switch_ms = 0;
  /// Schedule: what a sum takes if a convolution does it, as a fraction of its latency alone. The convolution reads the
  /// other summand, one of the three tensors that a sum alone moves.
  double sum_share = 1.0 / 3;
  double launch_ms = 0;  ///< schedule: time before its first operator starts
  double device_ms = 0;  ///< schedule: for every device beyond the first
  /// Part of a transfer that does not occupy any port. For the rest of its time a transfer has the outgoing port of
  /// one device and the incoming port of the other to itself. Infinite: transfers never wait for each other, as in
  /// HIOS.
  double transfer_latency_ms = std::numeric_limits<double>::infinity();
  bool operator==(const ContentionLaw&) const = default;

  /// Slowdown relative to running alone; `total` includes `utilisation`. The interference factor is 1 + c (1 - 1/n).
  double slowdown(double utilisation, double total, int running) const {
    return slowdown_of_powers(power(utilisation), power(total), running);
  }
  /// The same for utilisations raised to the exponent, for callers that keep them.
  double slowdown_of_powers(double own, double total, int running) const;
  /// Raised to the exponent; unchanged if that is infinite.
  double power(double utilisation) const;
  PoweredTask powered(const Task& task) const { return {task, power(task.utilisation)}; }
  /// Latency of an operator that follows another: `ms` minus chain_ms, but at least a fifth of `ms`.
  double following_ms(double ms) const;
};

/// Latency of concurrent groups, each in order, ms. Groups hold indices of `tasks`. The interference factor is
/// 1 + c (n - 1), unlike in slowdown() (simulator.md).
double concurrent_ms(std::span<const std::vector<int>> groups, std::span<const PoweredTask> tasks,
                     const ContentionLaw& law);

}  // namespace opsched

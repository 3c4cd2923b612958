// How devices are connected: which share a host or a process, and the resulting link kind between two of them.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>

namespace opsched {

/// local: one process moves tensors between GPUs of a host, by NVLink, PCIe or host memory. nccl: two processes of a
/// host. network: two hosts.
enum class LinkKind { local, nccl, network };
inline constexpr std::array kLinkKinds = {LinkKind::local, LinkKind::nccl, LinkKind::network};  ///< all of them
std::string to_string(LinkKind kind);
/// Throws Error listing the known kinds.
LinkKind parse_link_kind(const std::string& name);

/// A link whose cost is stated, not measured.
struct LinkCost {
  double latency_ms = 0;
  double bytes_per_ms = 0;
  double ms(double bytes) const { return latency_ms + bytes / bytes_per_ms; }
  bool operator==(const LinkCost&) const = default;
};

/// Devices of a process or host have consecutive numbers: with 8 devices per host, devices 0 to 7 share one.
class Topology {
 public:
  /// One process of one host has all devices.
  Topology() = default;
  /// Devices per host and per process; 0: no limit. All devices of a process are on one host. Throws Error for
  /// negative numbers, and if processes do not fill their host.
  explicit Topology(int host_devices, int process_devices = 0);

  int host_devices() const { return host_devices_; }
  int process_devices() const { return process_devices_; }
  int host_of(int device) const { return host_devices_ == 0 ? 0 : device / host_devices_; }
  /// For two different devices.
  LinkKind kind(int from, int to) const;
  /// Are links between devices 0 to devices - 1 all local?
  bool all_local(int devices) const;

  /// Sets the cost of this link kind, whatever was measured. Throws Error unless both numbers are finite, the latency
  /// is not negative and the bandwidth is above 0.
  void state(LinkKind kind, LinkCost cost);
  /// nullptr: not stated.
  const LinkCost* stated(LinkKind kind) const;
  const std::map<LinkKind, LinkCost>& links() const { return links_; }

  bool operator==(const Topology&) const = default;

 private:
  int host_devices_ = 0, process_devices_ = 0;
  std::map<LinkKind, LinkCost> links_;
};

/// The topology of these devices: `process_of` each device, and the host of each process by rank. Throws Error naming
/// a rank if devices of a host or process are not consecutive, or if hosts or processes before the last have different
/// numbers of them.
Topology topology_of(std::span<const int> process_of, std::span<const std::string> host_of);

}  // namespace opsched

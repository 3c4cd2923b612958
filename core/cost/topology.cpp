#include "core/cost/topology.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/names.hpp"

namespace opsched {

std::string to_string(LinkKind kind) {
  switch (kind) {
    case LinkKind::local:
      return "local";
    case LinkKind::nccl:
      return "nccl";
    default:
      return "network";
  }
}

LinkKind parse_link_kind(const std::string& name) {
  for (const LinkKind kind : kLinkKinds)
    if (name == to_string(kind)) return kind;
  throw Error("unknown kind of link '" + name +
              "'; known: " + joined(kLinkKinds, [](LinkKind kind) { return to_string(kind); }));
}

Topology::Topology(int host_devices, int process_devices)
    : host_devices_(host_devices), process_devices_(process_devices) {
  if (host_devices < 0 || process_devices < 0)
    throw Error("the number of devices of a host or process cannot be negative (0: no limit)");
  if (host_devices > 0 && process_devices > 0 && host_devices % process_devices != 0)
    throw Error("processes of " + std::to_string(process_devices) + " devices do not fill a host of " +
                std::to_string(host_devices) + ": a process has devices of one host");
}

LinkKind Topology::kind(int from, int to) const {
  if (host_of(from) != host_of(to)) return LinkKind::network;
  const bool one_process = process_devices_ == 0 || from / process_devices_ == to / process_devices_;
  return one_process ? LinkKind::local : LinkKind::nccl;
}

bool Topology::all_local(int devices) const {
  return devices < 2 || kind(0, devices - 1) == LinkKind::local;  // neighbours in number
}

void Topology::state(LinkKind kind, LinkCost cost) {
  if (!(cost.latency_ms >= 0 && std::isfinite(cost.latency_ms)))
    throw Error("link '" + to_string(kind) + "': its latency must be a non-negative number of ms");
  if (!(cost.bytes_per_ms > 0 && std::isfinite(cost.bytes_per_ms)))
    throw Error("link '" + to_string(kind) + "': its bandwidth must be above 0 bytes per ms");
  links_[kind] = cost;
}

const LinkCost* Topology::stated(LinkKind kind) const {
  const auto it = links_.find(kind);
  return it == links_.end() ? nullptr : &it->second;
}

Topology topology_of(std::span<const int> process_of, std::span<const std::string> host_of) {
  const auto devices = static_cast<int>(process_of.size());
  const auto host = [&](int device) -> const std::string& { return host_of[process_of[device]]; };
  int host_devices = 0, process_devices = 0;  // devices of the first host and the first process
  while (host_devices < devices && host(host_devices) == host(0)) ++host_devices;
  while (process_devices < devices && process_of[process_devices] == process_of[0]) ++process_devices;
  const auto irregular = [&](int device) {
    return Error("rank " + std::to_string(process_of[device]) + " on host '" + host(device) + "': its device " +
                 std::to_string(device) +
                 " does not lie as links are priced. Start ranks host by host (mpirun --map-by slot, srun "
                 "--distribution=block), as many on each host, with as many devices each");
  };
  if (host_devices < devices && host_devices % process_devices != 0) throw irregular(host_devices);
  const Topology topology(host_devices == devices ? 0 : host_devices, process_devices == devices ? 0 : process_devices);
  for (int a = 0; a < devices; ++a)
    for (int b = a + 1; b < devices; ++b) {
      const LinkKind found = host(a) != host(b)               ? LinkKind::network
                             : process_of[a] != process_of[b] ? LinkKind::nccl
                                                              : LinkKind::local;
      if (topology.kind(a, b) != found) throw irregular(b);
    }
  return topology;
}

}  // namespace opsched

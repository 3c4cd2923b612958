#include "core/runtime/sim/links.hpp"

#include <algorithm>
#include <cmath>

namespace opsched {

std::map<int, double> destinations(Latencies& cost, const std::vector<Slot>& slots, OpId op, int from) {
  std::map<int, double> ms;
  for (OpId reader : cost.graph().succs(op)) {
    const int to = slots[reader].device;
    if (to == from) continue;
    double& longest = ms[to];
    longest = std::max(longest, cost.transfer_ms(op, reader, from, to));
  }
  return ms;
}

Simulation::Transfer Links::send(OpId op, int from, int to, double now, double ms) {
  const LinkKind kind = topology_.kind(from, to);
  const bool hosts = kind == LinkKind::network;
  const LinkCost* stated = topology_.stated(kind);
  const double latency = stated ? stated->latency_ms : latency_;
  double& link = link_[{from, to}];
  double& out = out_[{hosts, hosts ? topology_.host_of(from) : from}];
  double& in = in_[{hosts, hosts ? topology_.host_of(to) : to}];
  const double start = std::max({now, link, out, in});
  link = start + ms;
  if (std::isfinite(latency_)) out = in = start + std::max(0.0, ms - latency);
  return {op, from, to, start, link};
}

}  // namespace opsched

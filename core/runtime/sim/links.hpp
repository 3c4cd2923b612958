// Transfers between devices in a simulation.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/runtime/sim/simulate.hpp"

namespace opsched {

/// The transfers of an output, or of a graph input, from a device: the destination, and the longest transfer time of
/// its readers there, ms.
std::map<int, double> destinations(Latencies& cost, const std::vector<Slot>& slots, OpId op, int from);

/// When transfers run: in the order of their requests, one after another on each link, and, for the time they occupy
/// ports, one after another in and out of each device. All devices of a host share one outgoing and one incoming port
/// for transfers between hosts.
class Links {
 public:
  /// `latency`: ms of a transfer during which its ports are free for others, unless the topology states it; infinite:
  /// no port contention. The topology must outlive it.
  Links(double latency, const Topology& topology) : latency_(latency), topology_(topology) {}

  /// Of an output that exists now.
  Simulation::Transfer send(OpId op, int from, int to, double now, double ms);

 private:
  double latency_;
  const Topology& topology_;
  std::map<std::pair<int, int>, double> link_;  ///< free from
  using Port = std::pair<bool, int>;            ///< of a host, or of a device; its number
  std::map<Port, double> out_, in_;             ///< ports free from
};

}  // namespace opsched

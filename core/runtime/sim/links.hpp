// What moves between devices in a simulation, and when.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/runtime/sim/simulate.hpp"

namespace opsched {

/// The transfers of an output, or of an input of the graph, from a device: where to, and the longest that a reader
/// there asks for, ms.
std::map<int, double> destinations(Latencies& cost, const std::vector<Slot>& slots, OpId op, int from);

/// When transfers run: in the order in which they are asked for, one after another on each link and, as
/// far as they have ports to themselves, in and out of each device. Between hosts, a host has one port out and one in
/// for all its devices.
class Links {
 public:
  /// `latency`: ms of a transfer in which its ports are free for others, where the topology states none; infinite:
  /// ports never wait. The topology must outlive it.
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

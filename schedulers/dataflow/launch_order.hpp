// Orders in which operators are launched; all are topological.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// A number for every operator (by OpId): the larger, the earlier.
struct LaunchKey {
  std::string name;
  std::vector<double> key;
};
/// critical-path: most solo latency ahead; least-slack: on the longest chains first; longest: solo latency;
/// topological: ids.
std::vector<LaunchKey> launch_keys(Latencies& cost);

/// Among the ready operators the one with the largest key (by OpId) first, ties by id.
std::vector<OpId> ready_order(const Graph& graph, std::span<const double> key);
/// Among the ready operators the one with most solo latency ahead of it first.
std::vector<OpId> critical_path_order(Latencies& cost);

/// Opara (arXiv 2312.10351, section 3): among the ready operators compute- and memory-intensive ones
/// in turn, of each kind the one of least utilisation. Compute-intensive is what does more
/// multiply-accumulates for every value moved than the median operator of the graph.
std::vector<OpId> resource_order(Latencies& cost);

}  // namespace opsched

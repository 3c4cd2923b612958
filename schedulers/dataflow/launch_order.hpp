// Orders in which operators are launched; all are topological.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// A priority for every operator (by OpId): larger runs earlier.
struct LaunchKey {
  std::string name;
  std::vector<double> key;
};
/// critical-path: largest remaining sum of solo latencies; least-slack: longest chains first; longest: solo latency;
/// topological: ids.
std::vector<LaunchKey> launch_keys(Latencies& cost);

/// Always takes the ready operator with the largest key (by OpId), ties by id.
std::vector<OpId> ready_order(const Graph& graph, std::span<const double> key);
/// Always takes the ready operator with the largest remaining sum of solo latencies.
std::vector<OpId> critical_path_order(Latencies& cost);

/// Opara (arXiv 2312.10351, section 3): alternates between compute- and memory-intensive ready operators, and takes
/// the one with the smallest utilisation of each kind. Compute-intensive operators do more multiply-accumulates per
/// value moved than the median operator of the graph.
std::vector<OpId> resource_order(Latencies& cost);

}  // namespace opsched

// HIOS's random DAGs (CLUSTER 2023, section V): operators with synthetic latencies, for simulations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/cost/synthetic.hpp"

namespace opsched {

/// A DAG of operators with known latencies. Vertices are 0..size-1, not in topological order.
struct WeightedDag {
  struct Edge {
    int from, to;
    double ms;  ///< for moving the output of `from` to another device
    bool operator==(const Edge&) const = default;
  };
  std::string name;
  std::vector<double> ms;           ///< t: latency alone
  std::vector<double> utilisation;  ///< u: in (0, 1]
  std::vector<Edge> edges;
  int rows = 1;  ///< of every output; more than one: operators are windows of three rows, and can be split
  /// Fraction of an operator's latency that its strips divide; each strip has the rest in full.
  double divisible = 1;

  int size() const { return static_cast<int>(ms.size()); }
};

struct RandomDagOptions {
  int operators = 200;
  int layers = 14;         ///< the first and the last hold one operator
  int dependencies = 400;  ///< number of edges; 2 * operators is always enough to connect the layers
  double ratio = 0.8;      ///< transfer time of an edge relative to its consumer's latency; at least 0.1 ms
  std::uint64_t seed = 1;
  int rows = 1;          ///< as in WeightedDag
  double divisible = 1;  ///< as in WeightedDag
};

/// The options of a mixed population: 20 to 200 operators, two dependencies an operator, ratio 0.4 to 1.2,
/// and layers anywhere between the fewest that hold the operators and the most that HIOS's generator
/// fills (ceil(layers / 2) operators in each).
RandomDagOptions mixed_dag(std::uint64_t seed);

/// Draws a DAG; equal options give equal DAGs on every platform. Latencies are uniform in [0.1, 4] ms, utilisations in
/// [0.6, 1]. The middle layers get ceil(layers / 2) operators each (fewer if there are not enough), then random
/// numbers up to that in turn, at most 10 * layers each. Every operator has an edge to the next layer and one from the
/// previous layer; the other edges connect random layers. Throws Error naming an option that cannot be satisfied.
WeightedDag random_dag(const RandomDagOptions& options);

/// The DAG as a graph with its costs: vertices are joins of one channel, or max pools of three rows, named by their
/// number, and those without predecessors read a single graph input 'x'. One block contains all. Throws Error naming
/// the vertex if a value is out of range or the edges form a cycle.
SyntheticCost synthetic_cost(const WeightedDag& dag);

}  // namespace opsched

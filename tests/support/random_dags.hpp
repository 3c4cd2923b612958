// The random DAGs of HIOS's simulations, for tests and measurements of schedulers.
#pragma once

#include <algorithm>
#include <random>

#include "networks/random_dag.hpp"

namespace opsched::test {

inline WeightedDag hios_dag(std::uint64_t seed) { return random_dag(mixed_dag(seed)); }

/// A random DAG of a few operators without layers. Some operators and transfers take no time; ids are in no order.
inline WeightedDag small_dag(int operators, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() % 10007) / 10006;
  };
  WeightedDag dag;
  dag.name = "small_dag";
  std::vector<int> order(operators);
  for (int v = 0; v < operators; ++v) {
    order[v] = v;
    dag.ms.push_back(random() % 8 == 0 ? 0 : uniform(0.1, 4));
    dag.utilisation.push_back(uniform(0.3, 1));
  }
  std::shuffle(order.begin(), order.end(), random);
  const double density = uniform(0.1, 0.6), ratio = uniform(0, 1.2);
  for (int i = 0; i < operators; ++i)
    for (int j = i + 1; j < operators; ++j)
      if (uniform(0, 1) < density)
        dag.edges.push_back({order[i], order[j], random() % 8 == 0 ? 0 : ratio * dag.ms[order[j]]});
  return dag;
}

}  // namespace opsched::test

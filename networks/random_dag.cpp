#include "networks/random_dag.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <unordered_set>

#include "core/error.hpp"
#include "core/graph/algorithms.hpp"

namespace opsched {
namespace {

/// Own distributions, because the standard ones differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  /// A uniform integer in [low, high].
  int integer(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  int pick(const std::vector<int>& from) { return from[integer(0, static_cast<int>(from.size()) - 1)]; }

 private:
  std::mt19937_64 engine_;
};

void check(const RandomDagOptions& o) {
  const auto refuse = [](const std::string& what) { throw Error("random DAG: " + what); };
  if (o.layers < 3) refuse("layers must be at least 3, not " + std::to_string(o.layers));
  if (o.operators < o.layers)
    refuse("operators (" + std::to_string(o.operators) + ") must be at least layers (" + std::to_string(o.layers) +
           ")");
  if (o.operators - 2 > std::int64_t{10} * o.layers * (o.layers - 2))
    refuse(std::to_string(o.layers) + " layers have room for at most " +
           std::to_string(std::int64_t{10} * o.layers * (o.layers - 2) + 2) + " operators, not " +
           std::to_string(o.operators));
  if (!(o.ratio >= 0 && std::isfinite(o.ratio))) refuse("ratio must be a non-negative number");
  if (o.rows < 1) refuse("rows must be at least 1, not " + std::to_string(o.rows));
}

std::vector<std::vector<int>> draw_layers(const RandomDagOptions& o, Random& random) {
  std::vector<std::vector<int>> layers(o.layers);
  int next = 0;
  layers.front().push_back(next++);
  const int last = o.operators - 1;
  const int start = std::min((o.layers + 1) / 2, (o.operators - 2) / (o.layers - 2));
  for (bool first = true; next < last; first = false)
    for (int l = 1; l < o.layers - 1 && next < last; ++l) {
      const int room = std::min(10 * o.layers - static_cast<int>(layers[l].size()), last - next);
      const int count = std::min(room, first ? start : random.integer(0, (o.layers + 1) / 2));
      for (int i = 0; i < count; ++i) layers[l].push_back(next++);
    }
  layers.back().push_back(last);
  return layers;
}

/// Number of pairs that the generator may connect: the source is in a middle layer (or the layers are consecutive), the
/// destination in a later layer.
std::int64_t capacity(const std::vector<std::vector<int>>& layers) {
  std::int64_t pairs = static_cast<std::int64_t>(layers[1].size()), later = 0;
  for (std::size_t l = layers.size() - 1; l >= 1; --l) {
    pairs += static_cast<std::int64_t>(layers[l].size()) * later;
    later += static_cast<std::int64_t>(layers[l].size());
  }
  return pairs;
}

}  // namespace

RandomDagOptions mixed_dag(std::uint64_t seed) {
  Random random(seed);
  RandomDagOptions options;
  options.operators = random.integer(20, 200);
  options.dependencies = 2 * options.operators;
  options.ratio = random.uniform(0.4, 1.2);
  int least = 4, most = 4;
  while (10 * least * (least - 2) < options.operators - 2) ++least;
  while ((most + 2) / 2 * (most + 1) < options.operators) ++most;
  options.layers = random.integer(least, most);
  options.seed = seed;
  return options;
}

WeightedDag random_dag(const RandomDagOptions& o) {
  check(o);
  Random random(o.seed);
  const auto layers = draw_layers(o, random);
  WeightedDag dag;
  dag.name = "random_dag_" + std::to_string(o.seed);
  dag.rows = o.rows;
  dag.divisible = o.divisible;
  for (int v = 0; v < o.operators; ++v) {
    dag.ms.push_back(random.uniform(0.1, 4));
    dag.utilisation.push_back(random.uniform(0.6, 1));
  }

  std::unordered_set<std::int64_t> known;
  const auto join = [&](int from, int to) {
    if (known.insert(std::int64_t{from} * o.operators + to).second)
      dag.edges.push_back({from, to, std::max(0.1, o.ratio * dag.ms[to])});
  };
  for (int l = 0; l + 1 < o.layers; ++l) {
    for (int v : layers[l]) join(v, random.pick(layers[l + 1]));
    for (int v : layers[l + 1]) join(random.pick(layers[l]), v);
  }
  if (static_cast<int>(dag.edges.size()) > o.dependencies)
    throw Error("random DAG: joining the layers takes " + std::to_string(dag.edges.size()) +
                " dependencies, more than the " + std::to_string(o.dependencies) + " asked for");
  if (o.dependencies > capacity(layers))
    throw Error("random DAG: there is room for at most " + std::to_string(capacity(layers)) + " dependencies, not " +
                std::to_string(o.dependencies));
  while (static_cast<int>(dag.edges.size()) < o.dependencies) {
    const int from = random.integer(1, o.layers - 2);
    const int to = random.integer(from + 1, o.layers - 1);
    join(random.pick(layers[from]), random.pick(layers[to]));
  }
  return dag;
}

SyntheticCost synthetic_cost(const WeightedDag& dag) {
  const int n = dag.size();
  Dag edges(n);
  for (const auto& e : dag.edges) {
    if (std::min(e.from, e.to) < 0 || std::max(e.from, e.to) >= n)
      throw Error("DAG '" + dag.name + "': edge " + std::to_string(e.from) + " -> " + std::to_string(e.to) +
                  " is not between its " + std::to_string(n) + " operators");
    boost::add_edge(e.from, e.to, edges);
  }
  const auto order = topological_order(edges, [](int v) { return std::to_string(v); });

  Graph graph(dag.name);
  const OpId x = graph.add_input("x", {1, dag.rows, 1});
  std::vector<Layer> layers;
  if (dag.rows > 1) layers.push_back(Pool2d{.type = PoolType::max, .kernel = {3, 1}, .padding = {1, 0}});
  std::vector<OpId> id(n);
  std::vector<double> ms{0}, utilisation{1};
  for (int v : order) {
    Term term;
    for (auto [it, end] = boost::in_edges(v, edges); it != end; ++it)
      term.push_back({id[boost::source(*it, edges)], 0, 1});
    if (term.empty()) term.push_back({x, 0, 1});
    id[v] = graph.add(std::to_string(v), {std::move(term)}, layers);
    ms.push_back(dag.ms[v]);
    utilisation.push_back(dag.utilisation[v]);
  }
  graph.end_block("all");
  std::vector<SyntheticTransfer> transfers;
  transfers.reserve(dag.edges.size());
  for (const auto& e : dag.edges) transfers.push_back({id[e.from], id[e.to], e.ms});
  return SyntheticCost(std::move(graph), std::move(ms), std::move(utilisation), transfers, dag.divisible);
}

}  // namespace opsched

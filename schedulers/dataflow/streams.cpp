#include "schedulers/dataflow/streams.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/max_cardinality_matching.hpp>

#include "core/graph/algorithms.hpp"

namespace opsched {
namespace {

/// The paths defined by each operator's successor on its path (by OpId, -1: none).
std::vector<Group> follow(const Graph& graph, const std::vector<OpId>& next) {
  std::vector<bool> inside(graph.size(), false);
  for (OpId op : next)
    if (op >= 0) inside[op] = true;
  std::vector<Group> paths;
  for (OpId op : graph.units()) {
    if (inside[op]) continue;
    paths.emplace_back();
    for (OpId at = op; at >= 0; at = next[at]) paths.back().push_back(at);
  }
  return paths;
}

/// Minimum path cover of the units along these edges (from, to), by a maximum bipartite matching.
std::vector<Group> fewest_paths(const Graph& graph, const std::vector<std::pair<OpId, OpId>>& edges) {
  using Bipartite = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
  const int n = graph.size();
  Bipartite bipartite(2 * static_cast<std::size_t>(n));
  for (const auto& [from, to] : edges) boost::add_edge(from, n + to, bipartite);
  std::vector<Bipartite::vertex_descriptor> mate(boost::num_vertices(bipartite));
  boost::edmonds_maximum_cardinality_matching(
      bipartite, boost::make_iterator_property_map(mate.begin(), boost::get(boost::vertex_index, bipartite)));
  std::vector<OpId> next(n, -1);
  for (OpId op = 0; op < n; ++op)
    if (mate[op] != boost::graph_traits<Bipartite>::null_vertex()) next[op] = static_cast<OpId>(mate[op]) - n;
  return follow(graph, next);
}

}  // namespace

std::vector<Group> opara_paths(const Graph& graph) {
  std::vector<OpId> next(graph.size(), -1);
  for (OpId op : graph.units())
    for (OpId p : graph.preds(op))
      if (!graph.op(p).is_input() && graph.succs(p).front() == op) {
        next[p] = op;
        break;
      }
  return follow(graph, next);
}

std::vector<Group> nimble_paths(const Graph& graph) {
  std::vector<std::pair<OpId, OpId>> edges = transitive_reduction(to_dag(graph));
  std::erase_if(edges, [&](const auto& edge) { return graph.op(edge.first).is_input(); });
  return fewest_paths(graph, edges);
}

std::vector<Group> chain_paths(const Graph& graph) {
  const std::vector<boost::dynamic_bitset<>> above = ancestors(to_dag(graph));
  std::vector<std::pair<OpId, OpId>> edges;
  for (OpId op : graph.units())
    for (auto p = above[op].find_first(); p != boost::dynamic_bitset<>::npos; p = above[op].find_next(p))
      if (!graph.op(static_cast<OpId>(p)).is_input()) edges.emplace_back(static_cast<OpId>(p), op);
  return fewest_paths(graph, edges);
}

std::vector<Group> join_paths(Latencies& cost, std::vector<Group> paths, int most) {
  if (static_cast<int>(paths.size()) <= most) return paths;
  const Graph& graph = cost.graph();
  std::vector<double> start(graph.size(), 0.0), end(graph.size(), 0.0);
  for (OpId op : graph.units()) {
    for (OpId p : graph.preds(op)) start[op] = std::max(start[op], end[p]);
    end[op] = start[op] + cost.operator_ms(op);
  }
  std::ranges::stable_sort(paths, {}, [&](const Group& path) { return start[path.front()]; });
  std::vector<Group> streams;
  std::vector<double> free;  // end of each stream's last path
  for (const Group& path : paths) {
    if (static_cast<int>(streams.size()) < most) {
      streams.push_back(path);
      free.push_back(end[path.back()]);
      continue;
    }
    // The stream that became free last before the path starts, or the first to become free.
    const double begin = start[path.front()];
    std::size_t best = 0;
    for (std::size_t s = 1; s < streams.size(); ++s) {
      const bool fits = free[s] <= begin, best_fits = free[best] <= begin;
      if (fits != best_fits ? fits : fits ? free[s] > free[best] : free[s] < free[best]) best = s;
    }
    streams[best].insert(streams[best].end(), path.begin(), path.end());
    free[best] = std::max(free[best], end[path.back()]);
  }
  for (Group& stream : streams) std::ranges::sort(stream);
  return streams;
}

}  // namespace opsched

#include "core/graph/algorithms.hpp"

#include <algorithm>
#include <boost/graph/strong_components.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/graph/ready_list.hpp"

namespace opsched {

Dag to_dag(const Graph& graph) {
  Dag dag(graph.size());
  for (OpId id = 0; id < graph.size(); ++id)
    for (OpId s : graph.succs(id)) boost::add_edge(id, s, dag);
  return dag;
}

std::vector<int> topological_order(const Dag& dag, const std::function<std::string(int)>& name_of) {
  const int n = static_cast<int>(boost::num_vertices(dag));
  std::vector<std::vector<int>> succs(n);
  for (int v = 0; v < n; ++v)
    for (auto [it, end] = boost::adjacent_vertices(v, dag); it != end; ++it) succs[v].push_back(static_cast<int>(*it));
  std::vector<int> order;
  for (ReadyList ready(std::move(succs)); !ready.empty();) order.push_back(ready.take_first());
  if (static_cast<int>(order.size()) == n) return order;

  // Name the members of one cycle: a strong component with more than one vertex, or a self-loop.
  std::vector<int> component(n), members(n, 0);
  boost::strong_components(dag,
                           boost::make_iterator_property_map(component.begin(), boost::get(boost::vertex_index, dag)));
  for (int c : component) ++members[c];
  std::string names;
  int chosen = -1;
  for (int v = 0; v < n; ++v) {
    const bool cyclic = members[component[v]] > 1 || boost::edge(v, v, dag).second;
    if (!cyclic || (chosen >= 0 && component[v] != chosen)) continue;
    chosen = component[v];
    names += (names.empty() ? "'" : ", '") + name_of(v) + "'";
  }
  throw Error("there is a cycle: " + names);
}

std::vector<boost::dynamic_bitset<>> ancestors(const Dag& dag) {
  const std::size_t n = boost::num_vertices(dag);
  std::vector<boost::dynamic_bitset<>> above(n, boost::dynamic_bitset<>(n));
  for (const int v : topological_order(dag, [](int i) { return std::to_string(i); }))
    for (auto [edge, end] = boost::in_edges(v, dag); edge != end; ++edge) {
      const auto p = boost::source(*edge, dag);
      above[v] |= above[p];
      above[v].set(p);
    }
  return above;
}

std::vector<std::pair<int, int>> transitive_reduction(const Dag& dag) {
  const std::vector<boost::dynamic_bitset<>> above = ancestors(dag);
  std::vector<std::pair<int, int>> edges;
  for (int v = 0; v < static_cast<int>(above.size()); ++v) {
    std::vector<int> preds;
    for (auto [edge, end] = boost::in_edges(v, dag); edge != end; ++edge)
      preds.push_back(static_cast<int>(boost::source(*edge, dag)));
    std::ranges::sort(preds);
    preds.erase(std::unique(preds.begin(), preds.end()), preds.end());
    for (const int p : preds)
      if (std::ranges::none_of(preds, [&](int other) { return above[other].test(p); })) edges.emplace_back(p, v);
  }
  return edges;
}

}  // namespace opsched

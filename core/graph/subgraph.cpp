#include "core/graph/subgraph.hpp"

#include <map>

namespace opsched {

Graph subgraph(const Graph& graph, std::span<const OpId> ops, const std::string& name) {
  Graph part(name, graph.batch());
  std::map<OpId, OpId> ids;
  const auto id_of = [&](OpId op) {
    const auto [it, outside] = ids.emplace(op, -1);
    if (outside) it->second = part.add_input(graph.op(op).name, graph.op(op).output);
    return it->second;
  };
  for (OpId op : ops) {
    std::vector<Term> terms = graph.op(op).terms;
    for (Term& term : terms)
      for (Value& value : term) value.op = id_of(value.op);
    ids[op] = part.add(graph.op(op).name, terms, graph.op(op).layers);
  }
  part.end_block("all");
  return part;
}

}  // namespace opsched

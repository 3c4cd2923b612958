#include "core/graph/graph_spec.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "core/graph/algorithms.hpp"
#include "core/graph/blocks.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

using Index = std::unordered_map<std::string, int>;

Index index_of(const std::vector<OperatorSpec>& ops) {
  Index index;
  for (const OperatorSpec& op : ops)
    if (!index.emplace(op.name, static_cast<int>(index.size())).second)
      throw Error("operator '" + op.name + "': the name is used twice");
  return index;
}

std::vector<int> sorted_operators(const GraphSpec& spec, const Index& index) {
  Dag dag(spec.ops.size());
  for (std::size_t to = 0; to < spec.ops.size(); ++to) {
    for (const auto& term : spec.ops[to].terms) {
      for (const ValueSpec& value : term) {
        const auto from = index.find(value.op);
        if (from == index.end())
          throw Error("operator '" + spec.ops[to].name + "' reads '" + value.op + "', which is not there");
        boost::add_edge(from->second, to, dag);
      }
    }
  }
  return topological_order(dag, [&](int i) { return spec.ops[i].name; });
}

void check_stated(const OperatorSpec& spec, const Operator& op) {
  for (const StatedShape& stated : spec.stated) {
    Shape got = op.input;
    for (std::size_t i = 0; i < stated.layers; ++i) got = infer_shape(op.layers[i], got);
    if (got != stated.shape)
      throw Error("operator '" + op.name + "': a shape is stated as " + to_string(stated.shape) +
                  ", but works out as " + to_string(got));
  }
}

OpId add(Graph& graph, const OperatorSpec& op, const Index& index, const std::vector<OpId>& ids) {
  if (op.input) return graph.add_input(op.name, *op.input);
  std::vector<Term> terms;
  for (const auto& term_spec : op.terms) {
    Term& term = terms.emplace_back();
    for (const ValueSpec& value : term_spec) term.push_back({ids[index.at(value.op)], value.begin, value.end});
  }
  const OpId id = graph.add(op.name, std::move(terms), op.layers, op.combine);
  check_stated(op, graph.op(id));
  return id;
}

/// Blocks run one after another, so they are sorted by their dependences.
std::vector<Block> sorted_blocks(const Graph& graph, std::vector<Block> blocks) {
  std::vector<int> block_of(graph.size(), -1);
  for (std::size_t b = 0; b < blocks.size(); ++b)
    for (OpId id : blocks[b].ops) block_of[id] = static_cast<int>(b);
  Dag dag(blocks.size());
  for (OpId id = 0; id < graph.size(); ++id)
    for (OpId p : graph.preds(id))
      if (block_of[p] >= 0 && block_of[id] >= 0 && block_of[p] != block_of[id])
        boost::add_edge(block_of[p], block_of[id], dag);
  std::vector<int> order;
  try {
    order = topological_order(dag, [&](int b) { return blocks[b].name; });
  } catch (const Error& e) {
    throw Error(std::string("blocks run one after another, but here they read from each other: ") + e.what());
  }
  std::vector<Block> sorted;
  sorted.reserve(order.size());
  for (int b : order) sorted.push_back(std::move(blocks[b]));
  return sorted;
}

Block resolve(const BlockSpec& spec, const Graph& graph) {
  const auto ids = [&](const std::vector<std::string>& names) {
    std::vector<OpId> list;
    for (const std::string& name : names) {
      const OpId id = graph.find(name);
      if (id < 0) throw Error("block '" + spec.name + "': operator '" + name + "' is not there");
      list.push_back(id);
    }
    std::ranges::sort(list);
    return list;
  };
  Block block{.name = spec.name, .ops = ids(spec.ops), .parts = {}};
  for (const auto& part : spec.parts) block.parts.push_back(ids(part));
  return block;
}

void check_name(const std::string& what, const std::string& name) {
  if (name.size() > max_file_name)
    throw Error(what + " '" + printable(name, 60) + "': a name of " + std::to_string(name.size()) + " bytes; at most " +
                std::to_string(max_file_name) + " are possible");
  if (printable(name, max_file_name) != name || name.find('\n') != std::string::npos)
    throw Error(what + " '" + printable(name) + "': control characters in a name, or bytes that are not UTF-8");
}

/// Names are displayed and become parts of other files, so they are limited; so are sizes that would make everything
/// slow.
void check_limits(const GraphSpec& spec) {
  check_name("graph", spec.name);
  for (const OperatorSpec& op : spec.ops) {
    check_name("operator", op.name);
    std::size_t values = 0;
    for (const auto& term : op.terms) values += term.size();
    if (values > max_file_values || op.layers.size() > max_file_layers)
      throw Error("operator '" + op.name + "': " + std::to_string(values) + " values and " +
                  std::to_string(op.layers.size()) + " layers; at most " + std::to_string(max_file_values) + " and " +
                  std::to_string(max_file_layers) + " are possible");
  }
  if (!spec.blocks) return;
  for (const BlockSpec& block : *spec.blocks) check_name("block", block.name);
}

}  // namespace

Graph assemble(const GraphSpec& spec) {
  check_limits(spec);
  if (spec.ops.size() > max_file_operators)
    throw Error(std::to_string(spec.ops.size()) + " operators; at most " + std::to_string(max_file_operators) +
                " are possible");
  const Index index = index_of(spec.ops);
  Graph graph(spec.name, spec.batch);
  std::vector<OpId> ids(spec.ops.size(), -1);
  for (int i : sorted_operators(spec, index)) ids[i] = add(graph, spec.ops[i], index, ids);
  if (!spec.blocks) {
    if (!graph.units().empty()) graph.set_blocks(natural_blocks(graph));
  } else if (!spec.blocks->empty()) {
    std::vector<Block> blocks;
    for (const BlockSpec& block : *spec.blocks) blocks.push_back(resolve(block, graph));
    graph.set_blocks(sorted_blocks(graph, std::move(blocks)));
  }
  return graph;
}

}  // namespace opsched

#include "core/graph/blocks.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "core/names.hpp"

namespace opsched {

std::vector<Block> natural_blocks(const Graph& graph) {
  std::vector<Block> blocks;
  const auto add = [&](std::vector<OpId>& ops) {
    if (ops.empty()) return;
    blocks.push_back({"block" + std::to_string(blocks.size() + 1), std::exchange(ops, {}), {}});
  };
  std::vector<OpId> chain, region;
  OpId last_reader = -1;  // last reader of anything before the current operator
  for (OpId id = 0; id < graph.size(); ++id) {
    const bool unit = graph.op(id).is_unit();
    if (unit) region.push_back(id);
    if (unit && last_reader <= id) {
      if (region.size() == 1) {
        chain.push_back(region.front());
        region.clear();
      } else {
        add(chain);
        add(region);
      }
    }
    if (!graph.succs(id).empty()) last_reader = std::max(last_reader, graph.succs(id).back());
  }
  add(chain);
  add(region);
  return blocks;
}

namespace {

const Block& find_block(const Graph& graph, const std::string& name) {
  return find_named(graph.blocks(), name, "graph '" + graph.name() + "' has no block '" + name + "'; there are: ");
}

}  // namespace

Graph block_graph(const Graph& graph, const std::string& name) {
  return cut_out(graph, find_block(graph, name), graph.name() + "/" + name);
}

Graph cut_out(const Graph& graph, const Block& block, const std::string& name) {
  Graph cut(name, graph.batch());
  std::map<OpId, OpId> copy;  // copy of each operator of the graph
  for (OpId id : block.ops)
    for (OpId p : graph.preds(id))
      if (!std::ranges::binary_search(block.ops, p)) copy.emplace(p, -1);
  for (auto& [outside, id] : copy) id = cut.add_input(graph.op(outside).name, graph.op(outside).output);
  WeightTable weights;
  for (OpId id : block.ops) {
    const Operator& op = graph.op(id);
    std::vector<Term> terms = op.terms;
    for (Term& term : terms)
      for (Value& value : term) value.op = copy.at(value.op);
    const OpId added = copy[id] = cut.add(op.name, std::move(terms), op.layers, op.combine);
    for (int layer = 0; layer < static_cast<int>(op.layers.size()); ++layer)
      if (graph.weights(id, layer)) weights[{added, layer}] = graph.weights()->at({id, layer});
  }
  std::vector<std::vector<OpId>> parts = block.parts;
  for (std::vector<OpId>& part : parts)
    for (OpId& id : part) id = copy.at(id);
  cut.end_block(block.name, std::move(parts));
  if (!weights.empty()) cut.set_weights(std::make_shared<const WeightTable>(std::move(weights)));
  return cut;
}

}  // namespace opsched

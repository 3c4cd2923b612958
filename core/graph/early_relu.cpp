#include "core/graph/early_relu.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {
namespace {

constexpr Layer relu = Activate{Activation::relu};

bool starts_with_relu(const Operator& op) {
  return !op.is_product() && !op.layers.empty() && op.layers.front() == relu;
}

/// Does the reader read this value only on its own, never as a summand?
bool reads_alone(const Operator& reader, OpId id) {
  return std::ranges::all_of(reader.terms, [&](const Term& term) {
    return term.size() == 1 || std::ranges::find(term, id, &Value::op) == term.end();
  });
}

/// A join of equally wide sums is one step, which can apply an activation to what it writes. Any other join writes
/// nothing itself.
bool adds_up(const Operator& op) {
  const std::size_t width = op.is_join() ? op.terms.front().size() : 0;
  return width > 1 && std::ranges::all_of(op.terms, [&](const Term& term) { return term.size() == width; });
}

bool can_end_in_relu(const Operator& op) {
  if (op.layers.empty()) return adds_up(op);
  const auto* conv = std::get_if<Conv2d>(&op.layers.back());
  return conv != nullptr && conv->act == Activation::none;
}

struct Moves {
  std::vector<bool> early;     ///< will end in a ReLU
  std::vector<bool> relieved;  ///< will no longer begin with a ReLU
};

Moves find_moves(const Graph& graph) {
  std::vector<bool> can(graph.size());
  for (OpId id : graph.units())
    can[id] = can_end_in_relu(graph.op(id)) && !graph.succs(id).empty() &&
              std::ranges::all_of(graph.succs(id), [&](OpId reader) {
                return starts_with_relu(graph.op(reader)) && reads_alone(graph.op(reader), id);
              });
  Moves moves{std::vector<bool>(graph.size()), std::vector<bool>(graph.size())};
  for (OpId id : graph.units()) {
    const Operator& op = graph.op(id);
    // An operator that is only a ReLU stays as it is: without the ReLU it would do nothing.
    moves.relieved[id] = starts_with_relu(op) && op.layers.size() > 1 &&
                         std::ranges::all_of(graph.preds(id), [&](OpId pred) { return can[pred]; });
    if (moves.relieved[id])
      for (OpId pred : graph.preds(id)) moves.early[pred] = true;
  }
  return moves;
}

std::shared_ptr<const WeightTable> moved_weights(const WeightTable& weights, const std::vector<bool>& relieved) {
  auto moved = std::make_shared<WeightTable>();
  for (const auto& [key, values] : weights) (*moved)[{key.first, key.second - (relieved[key.first] ? 1 : 0)}] = values;
  return moved;
}

}  // namespace

Graph with_early_relu(const Graph& graph) {
  if (!graph.splits().empty()) throw Error("graph '" + graph.name() + "' is split; move its ReLUs before");
  const Moves moves = find_moves(graph);
  Graph result(graph.name(), graph.batch());
  for (OpId id = 0; id < graph.size(); ++id) {
    const Operator& op = graph.op(id);
    if (op.is_input()) {
      result.add_input(op.name, op.output);
      continue;
    }
    std::vector<Layer> layers(op.layers.begin() + (moves.relieved[id] ? 1 : 0), op.layers.end());
    if (moves.early[id]) {
      if (op.layers.empty())
        layers.push_back(relu);
      else
        std::get<Conv2d>(layers.back()).act = Activation::relu;
    }
    result.add(op.name, op.terms, layers, op.combine);
  }
  result.set_blocks(graph.blocks());
  result.set_output_names(graph.output_names());
  if (graph.weights()) result.set_weights(moved_weights(*graph.weights(), moves.relieved));
  return result;
}

}  // namespace opsched

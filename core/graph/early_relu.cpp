#include "core/graph/early_relu.hpp"

#include <algorithm>
#include <functional>

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

/// This operator, and all convolutions that a schedule may merge with it.
std::vector<OpId> mergeable(const Graph& graph, OpId id) {
  const auto plain = [&](OpId op) {
    return graph.op(op).as_conv() != nullptr && graph.op(op).as_conv()->act == Activation::none;
  };
  std::vector<OpId> ops = {id};
  if (!plain(id)) return ops;
  for (OpId other : graph.succs(graph.preds(id).front()))
    if (other != id && plain(other) && graph.op(other).terms == graph.op(id).terms) ops.push_back(other);
  return ops;
}

ReluMoves find_moves(const Graph& graph) {
  std::vector<bool> can(graph.size());
  for (OpId id : graph.units())
    can[id] = can_end_in_relu(graph.op(id)) && !graph.succs(id).empty() &&
              std::ranges::all_of(graph.succs(id), [&](OpId reader) {
                return starts_with_relu(graph.op(reader)) && reads_alone(graph.op(reader), id);
              });
  // Merged convolutions have one activation, so all of them change or none does.
  const std::vector<bool> can_alone = can;
  for (OpId id : graph.units())
    can[id] = can[id] && std::ranges::all_of(mergeable(graph, id), [&](OpId op) { return can_alone[op]; });
  ReluMoves moves{std::vector<bool>(graph.size()), std::vector<bool>(graph.size())};
  for (OpId id : graph.units()) {
    const Operator& op = graph.op(id);
    // An operator that is only a ReLU stays as it is: without the ReLU it would do nothing.
    moves.relieved[id] = starts_with_relu(op) && op.layers.size() > 1 &&
                         std::ranges::all_of(graph.preds(id), [&](OpId pred) { return can[pred]; });
    if (moves.relieved[id])
      for (OpId pred : graph.preds(id))
        for (OpId op : mergeable(graph, pred)) moves.early[op] = true;
  }
  return moves;
}

std::shared_ptr<const WeightTable> moved_weights(const WeightTable& weights, const std::vector<bool>& relieved) {
  auto moved = std::make_shared<WeightTable>();
  for (const auto& [key, values] : weights) (*moved)[{key.first, key.second - (relieved[key.first] ? 1 : 0)}] = values;
  return moved;
}

}  // namespace

std::shared_ptr<const Graph> with_early_relu(const Graph& graph) {
  const std::shared_ptr<const Graph> as_it_is(std::shared_ptr<void>(), &graph);
  if (!graph.splits().empty()) {
    const std::shared_ptr<const Graph> whole = with_early_relu(graph.unsplit());
    return whole.get() == &graph.unsplit() ? as_it_is
                                           : std::make_shared<const Graph>(whole->with_splits(graph.splits()));
  }
  const ReluMoves moves = find_moves(graph);
  if (std::ranges::none_of(moves.relieved, std::identity())) return as_it_is;
  auto result = std::make_shared<Graph>(graph.name(), graph.batch());
  ReluMoves all = graph.relu_moves();
  for (OpId id = 0; id < graph.size(); ++id) {
    const Operator& op = graph.op(id);
    if (op.is_input()) {
      result->add_input(op.name, op.output);
      continue;
    }
    std::vector<Layer> layers(op.layers.begin() + (moves.relieved[id] ? 1 : 0), op.layers.end());
    if (moves.early[id]) {
      if (op.layers.empty())
        layers.push_back(relu);
      else
        std::get<Conv2d>(layers.back()).act = Activation::relu;
    }
    result->add(op.name, op.terms, layers, op.combine);
    if (moves.early[id]) all.early[id] = true;
    if (moves.relieved[id]) all.relieved[id] = true;
  }
  result->set_blocks(graph.blocks());
  result->set_output_names(graph.output_names());
  result->set_relu_moves(all);
  if (graph.weights()) result->set_weights(moved_weights(*graph.weights(), moves.relieved));
  return result;
}

}  // namespace opsched

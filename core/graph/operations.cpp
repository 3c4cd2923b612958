#include "core/graph/operations.hpp"

namespace opsched {
namespace {

std::int64_t operations(const Layer& layer, const Shape& in) {
  if (const auto* conv = std::get_if<Conv2d>(&layer)) return layer_macs(*conv, in) + infer_shape(*conv, in).size();
  if (std::holds_alternative<Activate>(layer)) return 4 * in.size();
  if (const auto* resize = std::get_if<Resize2d>(&layer))
    return infer_shape(layer, in).size() * (resize->interpolation == Interpolation::linear ? 4 : 1);
  if (std::holds_alternative<DepthToSpace>(layer) || std::holds_alternative<PixelRow>(layer))
    return infer_shape(layer, in).size();
  if (std::holds_alternative<Softmax>(layer) || std::holds_alternative<Normalize>(layer)) return 4 * in.size();
  const auto& pool = std::get<Pool2d>(layer);
  return pool.type == PoolType::global_avg ? in.size() : in.size() * pool.kernel[0] * pool.kernel[1];
}

}  // namespace

std::int64_t ios_operations(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  std::int64_t count = 0;
  for (const Term& term : op.terms)
    for (const Value& value : term) count += std::int64_t{value.channels()} * op.input.h * op.input.w;
  Shape shape = op.input;
  for (std::size_t i = 0; i < op.layers.size(); ++i) {
    count += operations(op.layers[i], shape) + (i > 0 ? shape.size() : 0);
    shape = infer_shape(op.layers[i], shape);
  }
  return count;
}

std::int64_t ios_operations(const Graph& graph) {
  std::int64_t count = 0;
  for (OpId id : graph.units()) count += ios_operations(graph, id);
  return count;
}

}  // namespace opsched

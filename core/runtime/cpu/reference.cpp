#include <algorithm>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cpu/kernels.hpp"

namespace opsched {
namespace {

Tensor empty_tensor(int n, const Shape& shape) { return {n, shape, std::vector<float>(n * shape.size())}; }

/// Channels [begin, end) of a tensor.
template <class T>
TensorView<T> channels(T* data, int n, Shape shape, int begin, int end) {
  const std::int64_t plane = std::int64_t{shape.h} * shape.w;
  return {data + begin * plane, shape.size(), n, {end - begin, shape.h, shape.w}};
}
TensorView<float> all(Tensor& t) { return channels(t.data.data(), t.n, t.shape, 0, t.shape.c); }

Tensor multiplied(const Operator& op, int batch, const std::vector<Tensor>& values, int threads) {
  std::vector<Tensor> sums;
  std::vector<TensorView<const float>> factors;
  for (const Term& term : op.terms) {
    std::vector<TensorView<const float>> inputs;
    for (const Value& v : term) {
      const Tensor& from = values[v.op];
      inputs.push_back(channels(from.data.data(), from.n, from.shape, v.begin, v.end));
    }
    sums.push_back(empty_tensor(batch, inputs.front().shape));
    gather(inputs, Activation::none, all(sums.back()), threads);
  }
  for (Tensor& sum : sums) factors.push_back(all(sum));
  Tensor x = empty_tensor(batch, op.input);
  multiply(factors, Activation::none, all(x), threads);
  return x;
}

Tensor joined(const Operator& op, int batch, const std::vector<Tensor>& values, int threads) {
  Tensor x = empty_tensor(batch, op.input);
  int channel = 0;
  for (const Term& term : op.terms) {
    std::vector<TensorView<const float>> inputs;
    for (const Value& v : term) {
      const Tensor& from = values[v.op];
      inputs.push_back(channels(from.data.data(), from.n, from.shape, v.begin, v.end));
    }
    const int end = channel + term.front().channels();
    gather(inputs, Activation::none, channels(x.data.data(), x.n, x.shape, channel, end), threads);
    channel = end;
  }
  return x;
}

Tensor compute(const Graph& graph, OpId id, const std::vector<Tensor>& values, std::uint64_t seed, int threads) {
  const Operator& op = graph.op(id);
  Tensor x =
      op.is_product() ? multiplied(op, graph.batch(), values, threads) : joined(op, graph.batch(), values, threads);
  for (int layer = 0; layer < static_cast<int>(op.layers.size()); ++layer) {
    Tensor y = empty_tensor(x.n, infer_shape(op.layers[layer], x.shape));
    const TensorView<const float> in = all(x);
    if (const auto* conv = std::get_if<Conv2d>(&op.layers[layer]))
      convolve(in, *conv, make_weights(graph, id, layer, seed), all(y), threads);
    else
      apply(in, op.layers[layer], all(y), threads);
    x = std::move(y);
  }
  return x;
}

void check_inputs(const Graph& graph, const std::vector<Tensor>& inputs) {
  const std::vector<OpId> ids = graph.inputs();
  if (ids.size() != inputs.size())
    throw Error("graph '" + graph.name() + "' has " + std::to_string(ids.size()) + " inputs, not " +
                std::to_string(inputs.size()));
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (inputs[i].n != graph.batch() || inputs[i].shape != graph.op(ids[i]).output ||
        static_cast<std::int64_t>(inputs[i].data.size()) != inputs[i].n * inputs[i].shape.size())
      throw Error("input '" + graph.op(ids[i]).name + "' has another shape or batch than the graph");
}

}  // namespace

std::vector<Tensor> reference_outputs(const Graph& graph, const std::vector<Tensor>& inputs, std::uint64_t seed,
                                      const std::function<void(OpId, const Tensor&)>& observe) {
  check_inputs(graph, inputs);
  const int threads = processors();
  std::vector<Tensor> values(graph.size());
  std::vector<std::size_t> readers(graph.size());
  std::size_t next_input = 0;
  for (OpId op = 0; op < graph.size(); ++op) {
    readers[op] = graph.succs(op).size();
    values[op] = graph.op(op).is_input() ? inputs[next_input++] : compute(graph, op, values, seed, threads);
    if (observe) observe(op, values[op]);
    for (OpId p : graph.preds(op))
      if (--readers[p] == 0) values[p] = {};
  }
  std::vector<Tensor> outputs;
  for (OpId op : graph.outputs()) outputs.push_back(std::move(values[op]));
  return outputs;
}

}  // namespace opsched

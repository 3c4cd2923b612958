#include <algorithm>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cpu/kernels.hpp"
#include "core/tf32.hpp"

namespace opsched {
namespace {

Tensor empty_tensor(int n, const Shape& shape) { return {n, shape, std::vector<float>(n * shape.size())}; }

TensorView<float> all(Tensor& t) { return part_of(t.data.data(), t.shape, 0, t.shape.c, {{0, t.n}, {0, t.shape.h}}); }

/// The values of one term that an operator reads, out of everything computed so far.
std::vector<TensorView<const float>> read(const Graph& graph, const Operator& op, const Term& term,
                                          const std::vector<Tensor>& values) {
  std::vector<TensorView<const float>> inputs;
  for (const Value& v : term) {
    const Tensor& from = values[v.op];
    inputs.push_back(part_of(from.data.data(), from.shape, v.begin, v.channels(), graph.read(op, v)));
  }
  return inputs;
}

Tensor multiplied(const Graph& graph, const Operator& op, const std::vector<Tensor>& values, int threads) {
  std::vector<Tensor> sums;
  std::vector<TensorView<const float>> factors;
  for (const Term& term : op.terms) {
    const std::vector<TensorView<const float>> inputs = read(graph, op, term, values);
    sums.push_back(empty_tensor(graph.images(op), inputs.front().shape));
    gather(inputs, Activation::none, all(sums.back()), threads);
  }
  for (Tensor& sum : sums) factors.push_back(all(sum));
  Tensor x = empty_tensor(graph.images(op), op.input);
  multiply(factors, Activation::none, all(x), threads);
  return x;
}

Tensor joined(const Graph& graph, const Operator& op, const std::vector<Tensor>& values, int threads) {
  Tensor x = empty_tensor(graph.images(op), op.input);
  int channel = 0;
  for (const Term& term : op.terms) {
    const int channels = term.front().channels();
    gather(read(graph, op, term, values), Activation::none,
           part_of(x.data.data(), x.shape, channel, channels, {{0, x.n}, {0, x.shape.h}}), threads);
    channel += channels;
  }
  return x;
}

void round_all(std::vector<float>& data) { std::ranges::transform(data, data.begin(), round_to_tf32); }

Tensor compute(const Graph& graph, OpId id, const std::vector<Tensor>& values, std::uint64_t seed, Precision precision,
               int threads) {
  const Operator& op = graph.op(id);
  Tensor x = op.is_product() ? multiplied(graph, op, values, threads) : joined(graph, op, values, threads);
  for (int layer = 0; layer < static_cast<int>(op.layers.size()); ++layer) {
    Tensor y = empty_tensor(x.n, infer_shape(op.layers[layer], x.shape));
    if (const auto* conv = std::get_if<Conv2d>(&op.layers[layer])) {
      ConvWeights weights = make_weights(graph, id, layer, seed);
      if (!is_as_accurate_as_fp32(precision)) round_all(x.data), round_all(weights.weight);
      convolve(all(x), *conv, weights, all(y), threads);
    } else {
      apply(all(x), op.layers[layer], all(y), threads);
    }
    x = std::move(y);
  }
  if (precision == Precision::fp16) round_all(x.data);
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
                                      const std::function<void(OpId, const Tensor&)>& observe, Precision precision) {
  check_inputs(graph, inputs);
  const int threads = processors();
  std::vector<Tensor> values(graph.size());
  std::vector<int> uses(graph.size());  // by output
  for (OpId op = 0; op < graph.size(); ++op)
    for (const Term& term : graph.op(op).terms)
      for (const Value& v : term) ++uses[v.op];
  std::size_t next_input = 0;
  for (OpId op = 0; op < graph.size(); ++op) {
    const Operator& what = graph.op(op);
    if (what.is_stack())
      values[op] = empty_tensor(graph.batch(), what.output);
    else
      values[op] = what.is_input() ? inputs[next_input++] : compute(graph, op, values, seed, precision, threads);
    if (what.is_strip()) {
      Tensor& whole = values[what.stack];
      const TensorView<const float> strip = all(values[op]);
      gather({&strip, 1}, Activation::none, part_of(whole.data.data(), whole.shape, 0, whole.shape.c, what.writes),
             threads);
    }
    if (observe && !what.is_stack()) observe(op, values[op]);
    for (const Term& term : what.terms)
      for (const Value& v : term)
        if (--uses[v.op] == 0) values[v.op] = {};
    if (what.is_strip()) values[op] = {};
  }
  std::vector<Tensor> outputs;
  for (OpId op : graph.outputs()) outputs.push_back(std::move(values[op]));
  return outputs;
}

}  // namespace opsched

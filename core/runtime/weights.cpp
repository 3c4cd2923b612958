// Seeded weights, scaled so that activations neither vanish nor explode.
#include <algorithm>
#include <cmath>

#include "core/runtime/random.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {
namespace {

/// Estimated moments of a tensor's values, which are assumed to be normally distributed.
struct Moments {
  double mean = 0, variance = 1;
  double power() const { return mean * mean + variance; }
};

constexpr double bias_scale = 0.1;

/// Moments of f(x), as sums over the normal distribution at points that are close enough for choosing a scale.
template <class F>
Moments through(const Moments& m, const F& f) {
  double weight = 0, mean = 0, power = 0;
  for (int i = -40; i <= 40; ++i) {
    const double z = i / 10.0, density = std::exp(-z * z / 2), value = f(m.mean + z * std::sqrt(m.variance));
    weight += density;
    mean += density * value;
    power += density * value * value;
  }
  mean /= weight;
  return {mean, std::max(power / weight - mean * mean, 1e-6)};
}

Moments activated(Moments m, Activation act) {
  if (act == Activation::none) return m;
  if (!act.is_basic()) return through(m, [&](double x) { return opsched::activated(static_cast<float>(x), act); });
  if (act == Activation::tanh) return {std::tanh(m.mean), m.variance / (1 + m.variance)};
  // Mean and second moment of a normal variable cut off at 0.
  const double sd = std::sqrt(m.variance), z = m.mean / sd;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI), below = std::erfc(-z / std::sqrt(2)) / 2;
  const double mean = m.mean * below + sd * density;
  return {mean, std::max(m.power() * below + m.mean * sd * density - mean * mean, 1e-6)};
}

/// Average fraction of a window's taps that fall on the input rather than on padding.
template <class Window>
double coverage(const Window& w, int d, int size, int out) {
  std::int64_t inside = 0;
  for (int o = 0; o < out; ++o)
    for (int k = 0; k < w.kernel[d]; ++k) {
      const std::int64_t at = std::int64_t{o} * w.stride[d] - w.padding[d] + std::int64_t{k} * w.dilation[d];
      inside += at >= 0 && at < size;
    }
  return static_cast<double>(inside) / (std::int64_t{out} * w.kernel[d]);
}

template <class Window>
double coverage(const Window& w, const Shape& in, const Shape& out) {
  return coverage(w, 0, in.h, out.h) * coverage(w, 1, in.w, out.w);
}

Moments pooled(Moments m, const Pool2d& pool, const Shape& in, const Shape& out) {
  // Channels differ more than pixels do: over six public networks 0.5 to 0.8 of the variance remained.
  if (pool.type == PoolType::global_avg) return {m.mean, 0.6 * m.variance};
  // Neighbouring pixels are similar, so a window of k taps counts as about sqrt(k) independent ones.
  const double taps = std::sqrt(double(pool.kernel[0]) * pool.kernel[1]);
  if (pool.type == PoolType::max)
    return {m.mean + std::sqrt(m.variance * std::log(taps)), m.variance / std::sqrt(taps)};
  const double inside = pool.count_padding ? coverage(pool, in, out) : 1.0;
  return {m.mean * inside, m.variance / taps * inside};
}

/// The standard deviation of the weights that gives outputs of power 1.
double weight_scale(const Conv2d& conv, const Shape& in, const Shape& out, const Moments& m) {
  const double fan_in = double(in.c / conv.groups) * conv.kernel[0] * conv.kernel[1] * coverage(conv, in, out);
  const double scale = 1.0 / std::sqrt(std::max(fan_in, 1.0) * m.power());
  // Rounded to a few bits, so that the last bit of this machine's exp makes no difference.
  int exponent = 0;
  const double fraction = std::frexp(scale, &exponent);
  return std::ldexp(std::round(fraction * 256) / 256, exponent);
}

/// Moments after a convolution with these weights. If each output channel reads a single input channel, the channels
/// differ widely in scale: few are large, as in a mixture of two normal distributions (kurtosis 6).
Moments convolved(const Conv2d& conv, const Shape& in) {
  const double variance = 1 + bias_scale * bias_scale;
  if (conv.groups < in.c) return activated({0, variance}, conv.act);
  const Moments most = activated({0, 0.3 * variance}, conv.act), few = activated({0, 2.63 * variance}, conv.act);
  const double mean = 0.7 * most.mean + 0.3 * few.mean;
  return {mean, std::max(0.7 * most.power() + 0.3 * few.power() - mean * mean, 1e-6)};
}

Moments after_layer(Moments m, const Layer& layer, const Shape& in, const Shape& out) {
  if (const auto* conv = std::get_if<Conv2d>(&layer)) return convolved(*conv, in);
  if (const auto* pool = std::get_if<Pool2d>(&layer)) return pooled(m, *pool, in, out);
  if (std::holds_alternative<Resize2d>(layer) || std::holds_alternative<DepthToSpace>(layer)) return m;
  if (const auto* row = std::get_if<PixelRow>(&layer)) {
    const double share = double(in.h) * in.w / row->width;  // all others are zeros
    return {share * m.mean, share * m.power()};
  }
  if (std::holds_alternative<Normalize>(layer)) return {0, 1};
  if (const auto* softmax = std::get_if<Softmax>(&layer)) {
    const double each = 1.0 / softmax->size;
    return {each, each * each};
  }
  return activated(m, std::get<Activate>(layer).act);
}

/// Moments of an operator's input, from those of all earlier outputs.
Moments input_moments(const Operator& op, const std::vector<Moments>& outputs) {
  Moments all{0, 0};
  double power = 0;
  Moments product{1, 0};
  for (const Term& term : op.terms) {
    Moments sum{0, 0};
    for (const Value& v : term) {
      sum.mean += outputs[v.op].mean;
      sum.variance += outputs[v.op].variance;
    }
    const double product_power = product.power() * sum.power();
    product.mean *= sum.mean;
    product.variance = std::max(product_power - product.mean * product.mean, 1e-6);
    const double part = double(term.front().channels()) / op.input.c;
    all.mean += part * sum.mean;
    power += part * sum.power();
  }
  if (op.is_product()) return product;
  all.variance = std::max(power - all.mean * all.mean, 1e-6);
  return all;
}

}  // namespace

ConvWeights make_weights(const Graph& graph, OpId id, int layer, std::uint64_t seed) {
  if (!graph.splits().empty()) return make_weights(graph.unsplit(), graph.origin(id), layer, seed);
  if (const ConvWeights* imported = graph.weights(id, layer)) return *imported;
  if (graph.op(id).relieved) ++layer;  // they are drawn for the network's layers
  std::vector<Moments> outputs;
  std::vector<Layer> layers;
  Moments m;
  Shape shape;
  for (OpId op = 0; op <= id; ++op) {
    m = graph.op(op).is_input() ? Moments{} : input_moments(graph.op(op), outputs);
    shape = graph.op(op).input;
    layers = network_layers(graph.op(op));
    const int count = op == id ? layer : static_cast<int>(layers.size());
    for (int l = 0; l < count; ++l) {
      const Shape out = infer_shape(layers[l], shape);
      m = after_layer(m, layers[l], shape, out);
      shape = out;
    }
    outputs.push_back(m);
  }
  const Conv2d& conv = std::get<Conv2d>(layers[layer]);
  const Shape out = infer_shape(conv, shape);
  const float scale = static_cast<float>(weight_scale(conv, shape, out, m));
  const std::int64_t kernel = std::int64_t{shape.c / conv.groups} * conv.kernel[0] * conv.kernel[1];
  ConvWeights weights{std::vector<float>(conv.out_channels * kernel), std::vector<float>(conv.out_channels)};
  const std::uint64_t key = hash64(hash64(seed) + 2 * hash64((std::uint64_t(id) << 32) + layer));
  for (std::size_t i = 0; i < weights.weight.size(); ++i) weights.weight[i] = scale * normal(key, i);
  for (std::size_t i = 0; i < weights.bias.size(); ++i)
    weights.bias[i] = static_cast<float>(bias_scale) * normal(key + 1, i);
  return weights;
}

}  // namespace opsched

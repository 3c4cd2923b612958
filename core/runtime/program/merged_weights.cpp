#include "core/runtime/program/merged_weights.hpp"

#include <algorithm>
#include <utility>

#include "core/runtime/tensor.hpp"

namespace opsched {

namespace {

ConvWeights side_by_side(const Graph& graph, const Step& step, std::uint64_t seed) {
  if (step.weights.size() == 1) return make_weights(graph, step.weights[0].op, step.weights[0].layer, seed);
  const Conv2d& merged = std::get<Conv2d>(step.layer);
  const auto [height, width] = merged.kernel;
  ConvWeights result;
  for (const WeightRef& ref : step.weights) {
    const auto [h, w] = std::get<Conv2d>(graph.op(ref.op).layers[ref.layer]).kernel;
    const int top = (height - h) / 2, left = (width - w) / 2;
    const ConvWeights own = make_weights(graph, ref.op, ref.layer, seed);
    const std::size_t kernels = own.weight.size() / (std::size_t(h) * w);
    std::size_t at = result.weight.size(), from = 0;
    result.weight.resize(at + kernels * height * width, 0.0f);
    for (std::size_t k = 0; k < kernels; ++k, at += std::size_t(height) * width)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) result.weight[at + std::size_t(y + top) * width + x + left] = own.weight[from++];
    result.bias.insert(result.bias.end(), own.bias.begin(), own.bias.end());
  }
  return result;
}

ConvWeights padded_weights(const Graph& graph, const Step& step, std::uint64_t seed) {
  ConvWeights own = side_by_side(graph.unsplit(), step, seed);
  const Conv2d& conv = std::get<Conv2d>(step.layer);
  const std::size_t taps = std::size_t(conv.kernel[0]) * conv.kernel[1], outs = conv.out_channels;
  const std::size_t depth = taps * (step.inputs.front().channels / conv.groups);
  const std::size_t own_depth = own.weight.size() / own.bias.size();
  if (own.bias.size() == outs && own_depth == depth) return own;
  ConvWeights padded{std::vector<float>(outs * depth), std::move(own.bias)};
  for (std::size_t k = 0; k < padded.bias.size(); ++k)
    std::copy_n(own.weight.begin() + k * own_depth, own_depth, padded.weight.begin() + k * depth);
  padded.bias.resize(outs);
  return padded;
}

/// Of the convolution in front of a pool.
ConvWeights bias_of(const Graph& graph, const Step& step, std::uint64_t seed) {
  ConvWeights weights;
  for (const WeightRef& ref : step.weights) {
    const std::vector<float> own = make_weights(graph.unsplit(), ref.op, ref.layer, seed).bias;
    weights.bias.insert(weights.bias.end(), own.begin(), own.end());
  }
  weights.bias.resize(step.output.channels);
  return weights;
}

}  // namespace

ConvWeights merged_weights(const Graph& graph, const Step& step, std::uint64_t seed) {
  if (step.kind == Step::Kind::pool) return bias_of(graph, step, seed);
  ConvWeights weights = padded_weights(graph, step, seed);
  if (!step.bias) std::ranges::fill(weights.bias, 0.0f);
  if (!step.affine) return weights;
  ConvWeights affine = make_weights(graph.unsplit(), step.affine->op, step.affine->layer, seed);
  weights.input_factor = std::move(affine.weight);
  weights.input_bias = std::move(affine.bias);
  for (std::vector<float>* values : {&weights.input_factor, &weights.input_bias})
    values->resize(step.inputs.front().channels);
  return weights;
}

}  // namespace opsched

// Normalisation: by constants, and by the value's own mean and variance as one operator.
#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

void batch_normalization(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.channels(node, 0);
  if (node.integer("training_mode", 0) != 0 || node.outputs.size() > 1) throw Error("training mode is not supported");
  if (node.integer("spatial", 1) != 1) throw Error("one mean per pixel (spatial = 0) is not supported");
  const int channels = from.shape.c;
  const auto scale = reader.floats(node, 1, channels), bias = reader.floats(node, 2, channels),
             mean = reader.floats(node, 3, channels), variance = reader.floats(node, 4, channels);
  const double epsilon = node.real("epsilon", 1e-5f);
  std::vector<float> factor(channels), shift(channels);
  for (int c = 0; c < channels; ++c) {
    const double f = scale[c] / std::sqrt(variance[c] + epsilon);
    factor[c] = static_cast<float>(f);
    shift[c] = static_cast<float>(bias[c] - mean[c] * f);
  }
  const int unit = reader.add_unit(node, from);
  reader.append_affine(unit, std::move(factor), std::move(shift));
  reader.define(node, unit, from.dims);
}

/// Normalises as `how` says, then applies a factor and a bias per channel, unless these are 1 and 0.
void normalised(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, const Normalize& how,
                const std::vector<float>& factor, const std::vector<float>& bias) {
  const int unit = reader.add_unit(node, from);
  reader.append(unit, how);
  const std::int64_t channels = from.shape.c, factors = static_cast<std::int64_t>(factor.size());
  bool idle = true;
  for (std::size_t i = 0; i < factor.size(); ++i) idle = idle && factor[i] == 1 && bias[i] == 0;
  if (idle) return reader.define_like(node, unit, from);
  const OnnxData plain = reader.data_like(unit, from);
  std::vector<float> factor_of(channels), bias_of(channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    factor_of[c] = factor[c * factors / channels];
    bias_of[c] = bias[c * factors / channels];
  }
  const int scaled = reader.add_unit(node, plain);
  reader.append_affine(scaled, std::move(factor_of), std::move(bias_of));
  reader.define_like(node, scaled, from);
}

float epsilon_of(const OnnxNode& node) {
  const float epsilon = node.real("epsilon", 1e-5f);
  if (!(epsilon >= 0)) throw Error("epsilon must be at least 0");
  return epsilon;
}

/// Normalises each channel by its own mean and variance. Exporters also write group normalisation this way, with groups
/// as channels: [batch, groups, rest].
void instance_normalization(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.data(node, 0);
  const std::int64_t groups = from.dims.size() > 2 ? from.dims[1] : 0;
  if (groups < 1 || from.dims[0] != reader.batch() || from.shape.c % groups != 0)
    throw Error("a value of the shape " + to_string(from.dims) + " with " + std::to_string(from.shape.c) +
                " channels is not supported");
  normalised(reader, node, from, {.groups = static_cast<int>(groups), .epsilon = epsilon_of(node)},
             reader.floats(node, 1, groups), reader.floats(node, 2, groups));
}

/// With a factor and a bias per channel, or per group (before version 21).
void group_normalization(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.channels(node, 0);
  const std::int64_t groups = node.integer("num_groups", 0);
  if (groups < 1 || from.shape.c % groups != 0)
    throw Error("num_groups (" + std::to_string(groups) + ") does not divide " + std::to_string(from.shape.c) +
                " channels");
  const std::int64_t factors = reader.opset() < 21 ? groups : from.shape.c;
  normalised(reader, node, from, {.groups = static_cast<int>(groups), .epsilon = epsilon_of(node)},
             reader.floats(node, 1, factors), reader.floats(node, 2, factors));
}

/// Normalises over the last axes: the channels of a pixel if channels are last, otherwise the whole image.
void layer_normalization(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.computed(node, 0);
  const std::size_t rank = from.dims.size(), axis = onnx_axis(node.integer("axis", -1), rank, rank - 1);
  const bool by_pixel = from.channels_last || from.pixels() == 1;
  if (from.dims[0] != reader.batch() || (by_pixel ? axis != rank - 1 || from.dims.back() != from.shape.c : axis != 1))
    throw Error(
        "normalising a value of the shape " + to_string(from.dims) + " from axis " + std::to_string(axis) +
        " on is not supported; only the channels, as the last axis, or everything but the batch can be normalised");
  if (!by_pixel) {
    const OnnxTensor& factor = reader.needed_constant(node, 1);
    if (factor.size() != 1) throw Error("one factor per pixel is not supported");
  }
  const std::int64_t factors = by_pixel ? from.shape.c : 1;
  const std::vector<float> factor = reader.floats(node, 1, factors);
  normalised(reader, node, from, {.groups = 1, .per_pixel = by_pixel, .epsilon = epsilon_of(node)}, factor,
             node.has_input(2) ? reader.floats(node, 2, factors) : std::vector<float>(factors, 0.0f));
}

}  // namespace

void add_onnx_normalisation(OnnxOperators& operators) {
  operators["BatchNormalization"] = batch_normalization;
  operators["GroupNormalization"] = group_normalization;
  operators["InstanceNormalization"] = instance_normalization;
  operators["LayerNormalization"] = layer_normalization;
}

}  // namespace opsched

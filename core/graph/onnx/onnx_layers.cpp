// Operators with a window or a matrix: convolutions, pools, normalisation.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"
#include "core/graph/onnx/onnx_window.hpp"

namespace opsched {
namespace {

void conv(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const OnnxTensor& weight = reader.needed_constant(node, 1);
  if (weight.dims.size() != 4) throw Error("only two-dimensional convolutions are supported");
  for (std::int64_t dim : weight.dims)
    if (dim < 1 || dim > max_axis) throw Error("weights of an impossible shape");
  const OnnxWindow window = convolution_window(node, weight.dims, from.shape);
  const std::int64_t groups = node.integer("group", 1);
  if (groups < 1 || groups > max_axis || groups * weight.dims[1] != from.shape.c)
    throw Error("reads " + std::to_string(from.shape.c) + " channels, but its weights are for " +
                std::to_string(weight.dims[1]) + " in each of " + std::to_string(groups) + " groups");
  const Conv2d layer{.out_channels = static_cast<int>(weight.dims[0]),
                     .kernel = window.kernel,
                     .stride = window.stride,
                     .padding = window.padding,
                     .groups = static_cast<int>(groups)};
  const OnnxTensor* const bias = node.has_input(2) ? &reader.needed_constant(node, 2) : nullptr;
  const int unit = reader.add_unit(node, from);
  reader.append(unit, layer, reader.weights(weight, bias, layer.out_channels));
  reader.define(node, unit);
}

void batch_normalization(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.channels(node, 0);
  if (node.integer("training_mode", 0) != 0 || node.outputs.size() > 1) throw Error("training mode is not supported");
  if (node.integer("spatial", 1) != 1) throw Error("a mean for every pixel is not supported");
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

void pool(OnnxReader& reader, const OnnxNode& node, PoolType type) {
  const OnnxData& from = reader.image(node, 0);
  const bool count_padding = type == PoolType::max || node.integer("count_include_pad", 0) != 0;
  const OnnxWindow window = pooling_window(node, from.shape, type == PoolType::avg && count_padding);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Pool2d{.type = type,
                             .kernel = window.kernel,
                             .stride = window.stride,
                             .padding = window.padding,
                             .count_padding = count_padding,
                             .ceil = window.ceil});
  reader.define(node, unit);
}
void max_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::max); }
void average_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::avg); }

void global_average_pool(OnnxReader& reader, const OnnxNode& node) {
  const int unit = reader.add_unit(node, reader.image(node, 0));
  reader.append(unit, Pool2d{.type = PoolType::global_avg});
  reader.define(node, unit);
}

/// The mean over height and width is a global average pool.
void reduce_mean(OnnxReader& reader, const OnnxNode& node) {
  std::vector<std::int64_t> axes;
  if (const auto* given = node.integers("axes"))
    axes = *given;
  else if (node.has_input(1))
    axes = reader.integers(node, 1);
  for (std::int64_t& axis : axes)
    if (axis < 0) axis += 4;
  std::ranges::sort(axes);
  if (axes != std::vector<std::int64_t>{2, 3})
    throw Error("only the mean over height and width (axes 2 and 3) is supported");
  const int unit = reader.add_unit(node, reader.image(node, 0));
  reader.append(unit, Pool2d{.type = PoolType::global_avg});
  if (node.integer("keepdims", 1) != 0)
    reader.define(node, unit);
  else
    reader.define(node, unit, {reader.batch(), reader.units()[unit].output.c});
}

/// The bias of a Gemm, one for each column. ONNX broadcasts it to [batch, outputs].
std::vector<float> gemm_bias(OnnxReader& reader, const OnnxNode& node, std::int64_t outputs, float beta) {
  std::vector<float> bias(outputs, 0.0f);
  if (!node.has_input(2)) return bias;
  const OnnxTensor& tensor = reader.needed_constant(node, 2);
  const std::int64_t columns = tensor.dims.empty() ? 1 : tensor.dims.back();
  const bool one_row = tensor.dims.size() < 2 || (tensor.dims.size() == 2 && tensor.dims[0] == 1);
  if (!one_row || (columns != 1 && columns != outputs))
    throw Error("a bias of the shape " + to_string(tensor.dims) + "; only one for each of the " +
                std::to_string(outputs) + " columns is supported");
  const std::vector<float> values = reader.floats(tensor);
  for (std::int64_t o = 0; o < outputs; ++o) bias[o] = beta * values[columns == 1 ? 0 : o];
  return bias;
}

/// A fully connected layer is a convolution whose kernel is the whole image.
void matrix_product(OnnxReader& reader, const OnnxNode& node, bool transposed, float alpha, float beta) {
  const OnnxData from = reader.data(node, 0);
  const OnnxTensor& matrix = reader.needed_constant(node, 1);
  const std::vector<std::int64_t> dims{reader.batch(), from.shape.size()};
  if (from.dims != dims || matrix.dims.size() != 2 || matrix.dims[transposed ? 1 : 0] != from.shape.size())
    throw Error("must multiply a value flattened to " + to_string(dims) + " with a constant matrix; here " +
                to_string(from.dims) + " with " + to_string(matrix.dims));
  const std::int64_t rows = matrix.dims[0], columns = matrix.dims[1], outputs = transposed ? rows : columns;
  if (outputs < 1 || outputs > max_axis) throw Error("a matrix of an impossible shape");
  const std::vector<float> values = reader.floats(matrix);
  ConvWeights weights{std::vector<float>(values.size()), gemm_bias(reader, node, outputs, beta)};
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      weights.weight[transposed ? r * columns + c : c * rows + r] = alpha * values[r * columns + c];
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Conv2d{.out_channels = static_cast<int>(outputs), .kernel = {from.shape.h, from.shape.w}},
                std::make_shared<const ConvWeights>(std::move(weights)));
  reader.define(node, unit, {reader.batch(), outputs});
}

void gemm(OnnxReader& reader, const OnnxNode& node) {
  if (node.integer("transA", 0) != 0) throw Error("a transposed first input is not supported");
  matrix_product(reader, node, node.integer("transB", 0) != 0, node.real("alpha", 1), node.real("beta", 1));
}
void mat_mul(OnnxReader& reader, const OnnxNode& node) { matrix_product(reader, node, false, 1, 1); }

}  // namespace

void add_onnx_layers(OnnxOperators& operators) {
  operators["AveragePool"] = average_pool;
  operators["BatchNormalization"] = batch_normalization;
  operators["Conv"] = conv;
  operators["Gemm"] = gemm;
  operators["GlobalAveragePool"] = global_average_pool;
  operators["MatMul"] = mat_mul;
  operators["MaxPool"] = max_pool;
  operators["ReduceMean"] = reduce_mean;
}

}  // namespace opsched

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
                     .groups = static_cast<int>(groups),
                     .dilation = window.dilation,
                     .more_padding = window.more_padding};
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
                             .ceil = window.ceil,
                             .dilation = window.dilation,
                             .more_padding = window.more_padding});
  reader.define(node, unit);
}
void max_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::max); }
void average_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::avg); }

void global_max_pool(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const std::array<int, 2> whole{from.shape.h, from.shape.w};
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Pool2d{.type = PoolType::max, .kernel = whole});
  reader.define(node, unit);
}

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

/// Zeros around an image.
void pad(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  if (const std::string mode = node.text("mode", "constant"); mode != "constant")
    throw Error("mode '" + mode + "' is not supported, only 'constant'");
  if (reader.number(node, 2, node.real("value", 0)) != 0) throw Error("only padding with zeros is supported");
  const auto* attribute = node.integers("pads");  // before version 11
  const std::vector<std::int64_t> given = attribute ? *attribute : reader.integers(node, 1);
  std::vector<std::int64_t> axes{0, 1, 2, 3};
  if (node.has_input(3)) axes = reader.integers(node, 3);
  if (given.size() != 2 * axes.size()) throw Error("a number of pads that does not fit");
  std::array<std::int64_t, 4> begin{}, end{};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = onnx_axis(axes[i], 4, 3);
    begin[axis] = given[i];
    end[axis] = given[axes.size() + i];
  }
  for (int axis = 0; axis < 4; ++axis)
    if (begin[axis] < 0 || end[axis] < 0 || std::max(begin[axis], end[axis]) > max_axis ||
        (axis < 2 && (begin[axis] != 0 || end[axis] != 0)))
      throw Error("only zeros around height and width are supported; the pads are " + to_string(given));
  if (std::ranges::all_of(given, [](std::int64_t n) { return n == 0; })) return reader.define(node, OnnxData(from));
  const int unit = reader.add_unit(node, from);
  reader.append_padding(unit, {static_cast<int>(begin[2]), static_cast<int>(begin[3])},
                        {static_cast<int>(end[2] - begin[2]), static_cast<int>(end[3] - begin[3])});
  reader.define(node, unit);
}

/// Height and width of an image in another size; also Upsample, its older name.
void resize(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const bool upsample = node.type == "Upsample";
  const std::array<int, 2> size{from.shape.h, from.shape.w};
  Resize2d layer{.size = size};
  const std::size_t scales_at = upsample ? 1 : 2;
  if (node.integers("axes")) throw Error("axes are not supported");
  if (const std::string p = node.text("keep_aspect_ratio_policy", "stretch"); p != "stretch")
    throw Error("keep_aspect_ratio_policy '" + p + "' is not supported");
  if (node.integer("antialias", 0) != 0) throw Error("antialias is not supported");
  if (!upsample && node.has_input(3)) {
    const auto wish = reader.integers(node, 3);
    if (wish.size() != 4 || wish[0] != reader.batch() || wish[1] != from.shape.c)
      throw Error("only height and width may change; the sizes are " + to_string(wish));
    for (int d : {0, 1}) layer.size[d] = static_cast<int>(std::clamp<std::int64_t>(wish[d + 2], 0, max_axis + 1));
  } else {
    std::vector<double> scales;
    if (node.has_input(scales_at)) scales = reader.numbers(reader.needed_constant(node, scales_at)).values;
    if (scales.size() != 4 || scales[0] != 1 || scales[1] != 1 || !(scales[2] > 0) || !(scales[3] > 0))
      throw Error("needs one scale for height and one for width, and 1 for batch and channels");
    for (int d : {0, 1}) {
      layer.size[d] = static_cast<int>(std::min(std::floor(size[d] * scales[d + 2]), double(max_axis) + 1));
      if (layer.size[d] != size[d] * scales[d + 2]) layer.scale[d] = scales[d + 2];
    }
  }
  const std::string mode = node.text("mode", "nearest");
  if (mode != "nearest" && mode != "linear" && mode != "bilinear")
    throw Error("mode '" + mode + "' is not supported; nearest and linear are");
  layer.interpolation = mode == "nearest" ? Interpolation::nearest : Interpolation::linear;
  const std::string where = node.text("coordinate_transformation_mode", upsample ? "asymmetric" : "half_pixel");
  if (where == "asymmetric")
    layer.coordinates = Coordinates::asymmetric;
  else if (where == "align_corners")
    layer.coordinates = Coordinates::align_corners;
  else if (where != "half_pixel" && (where != "pytorch_half_pixel" || layer.size[0] == 1 || layer.size[1] == 1))
    throw Error("coordinate_transformation_mode '" + where + "' is not supported");
  const std::string rounding = node.text("nearest_mode", upsample ? "floor" : "round_prefer_floor");
  if (rounding == "floor")
    layer.rounding = Rounding::floor;
  else if (rounding == "ceil")
    layer.rounding = Rounding::ceil;
  else if (rounding == "round_prefer_ceil")
    layer.rounding = Rounding::half_up;
  else if (rounding != "round_prefer_floor")
    throw Error("nearest_mode '" + rounding + "' is unknown");
  const int unit = reader.add_unit(node, from);
  reader.append(unit, layer);
  reader.define(node, unit);
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
  ConvWeights weights{reader.floats(matrix), gemm_bias(reader, node, outputs, beta)};
  if (!transposed) {
    std::vector<float> turned(weights.weight.size());
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) turned[c * rows + r] = weights.weight[r * columns + c];
    weights.weight = std::move(turned);
  }
  if (alpha != 1)
    for (float& w : weights.weight) w *= alpha;
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
  operators["GlobalMaxPool"] = global_max_pool;
  operators["MatMul"] = mat_mul;
  operators["MaxPool"] = max_pool;
  operators["Pad"] = pad;
  operators["ReduceMean"] = reduce_mean;
  operators["Resize"] = resize;
  operators["Upsample"] = resize;
}

}  // namespace opsched

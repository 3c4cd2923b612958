// Operators with a window or a matrix: convolutions, pools, products with constants.
#include <algorithm>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"
#include "core/graph/onnx/onnx_window.hpp"

namespace opsched {
namespace {

/// Limit on the weights of a convolution that replaces one along a sequence in channels.
constexpr std::int64_t max_sequence_weights = std::int64_t{1} << 26;

/// Windows along a sequence that is stored in the channels of single pixels: [batch, a, length] in a * length channels.
/// The convolution becomes a 1x1 convolution that repeats the same weight wherever it applies.
void conv_over_channels(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, const OnnxWindow& window,
                        const Conv2d& like, const ConvWeights& own) {
  const int ins = static_cast<int>(from.dims[1]), length = static_cast<int>(from.dims[2]);
  const int outs = like.out_channels, positions = infer_shape(like, {ins, 1, length}).w;
  const std::int64_t rows = std::int64_t{outs} * positions, columns = std::int64_t{ins} * length;
  if (rows > max_axis || rows * columns > max_sequence_weights)
    throw Error("a convolution along a sequence of " + std::to_string(length) + " is too long to be supported here");
  ConvWeights weights{std::vector<float>(rows * columns, 0.0f), std::vector<float>(rows)};
  const int group_ins = ins / like.groups, taps = window.kernel[1];
  for (std::int64_t row = 0; row < rows; ++row) {
    const int out = static_cast<int>(row / positions), position = static_cast<int>(row % positions);
    weights.bias[row] = own.bias[out];
    const int first = out / (outs / like.groups) * group_ins;
    for (int i = 0; i < group_ins; ++i)
      for (int t = 0; t < taps; ++t) {
        const int at = position * window.stride[1] - window.padding[1] + t * window.dilation[1];
        if (at < 0 || at >= length) continue;
        weights.weight[row * columns + std::int64_t{first + i} * length + at] =
            own.weight[(std::int64_t{out} * group_ins + i) * taps + t];
      }
  }
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Conv2d{.out_channels = static_cast<int>(rows)},
                std::make_shared<const ConvWeights>(std::move(weights)));
  reader.define(node, unit, {reader.batch(), outs, positions});
}

/// `inner` of a value whose channels are viewed as [channels][inner], with any view of its pixels. 0: the value is an
/// image as computed, or has another view.
int inner_channels(const OnnxReader& reader, const OnnxData& from) {
  const std::vector<std::int64_t>& dims = from.dims;
  const Shape& shape = from.shape;
  if (dims.size() != 4 || dims[0] != reader.batch() || shape.c % dims[1] != 0) return 0;
  if (dims[1] == shape.c && dims[2] == shape.h && dims[3] == shape.w) return 0;
  const std::int64_t inner = shape.c / dims[1];
  return dims[2] % inner == 0 && dims[2] * dims[3] == inner * from.pixels() ? static_cast<int>(inner) : 0;
}

/// Weights of a 1x1 convolution for channels viewed as [channels][inner]: the same weights at each place of `inner`.
std::shared_ptr<const ConvWeights> repeated(const ConvWeights& own, int inner) {
  const std::size_t outs = own.bias.size(), ins = own.weight.size() / outs;
  ConvWeights all{std::vector<float>(outs * ins * inner * inner, 0.0f), std::vector<float>(outs * inner)};
  for (std::size_t row = 0; row < outs * inner; ++row) {
    const std::size_t out = row / inner, place = row % inner;
    all.bias[row] = own.bias[out];
    for (std::size_t i = 0; i < ins; ++i) all.weight[row * ins * inner + i * inner + place] = own.weight[out * ins + i];
  }
  return std::make_shared<const ConvWeights>(std::move(all));
}

/// A 1x1 convolution at each place of `inner` (as in YOLO's distributions of distances) and at every pixel.
void conv_at_places(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, int inner) {
  const OnnxTensor& weight = reader.needed_constant(node, 1);
  const auto outs = static_cast<int>(weight.dims[0]);
  const OnnxWindow window = convolution_window(node, weight.dims, {static_cast<int>(from.dims[1]), inner, 1});
  if (weight.dims[1] != from.dims[1] || window.kernel != std::array{1, 1} || window.stride != std::array{1, 1} ||
      window.padding != std::array{0, 0} || window.more_padding != std::array{0, 0} || node.integer("group", 1) != 1 ||
      std::int64_t{outs} * inner > max_axis || std::int64_t{outs} * inner * from.shape.c > max_sequence_weights)
    reader.image(node, 0);  // throws an Error with the shape it was reshaped to
  const OnnxTensor* const bias = node.has_input(2) ? &reader.needed_constant(node, 2) : nullptr;
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Conv2d{.out_channels = outs * inner}, repeated(*reader.weights(weight, bias, outs), inner));
  reader.define(node, unit, {reader.batch(), outs, from.dims[2], from.dims[3]});
}

/// Is this [batch, channels, length], with the image as one row?
bool is_sequence(const OnnxReader& reader, const OnnxData& data) {
  return data.dims == std::vector<std::int64_t>{reader.batch(), data.shape.c, data.shape.w} && data.shape.h == 1;
}

void conv(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor& weight = reader.needed_constant(node, 1);
  std::vector<std::int64_t> dims = weight.dims;
  const bool sequence = dims.size() == 3;
  if (sequence) dims.insert(dims.begin() + 2, 1);
  if (dims.size() != 4) throw Error("only convolutions of one or two dimensions are supported");
  for (std::int64_t dim : dims)
    if (dim < 1 || dim > max_axis) throw Error("the shape of the weights is out of range");
  if (const int inner = sequence ? 0 : inner_channels(reader, reader.data(node, 0)); inner > 0)
    return conv_at_places(reader, node, reader.data(node, 0), inner);
  const OnnxData& from = sequence ? reader.data(node, 0) : reader.image(node, 0);
  const bool in_channels = sequence && !is_sequence(reader, from);
  if (in_channels && (from.dims.size() != 3 || from.dims[0] != reader.batch() || from.pixels() != 1))
    throw Error("a convolution along a value of the shape " + to_string(from.dims) + " is not supported here");
  const Shape in = in_channels ? Shape{static_cast<int>(from.dims[1]), 1, static_cast<int>(from.dims[2])} : from.shape;
  const OnnxWindow window = convolution_window(sequence ? onnx_in_two_dimensions(node) : node, dims, in);
  const std::int64_t groups = node.integer("group", 1);
  if (groups < 1 || groups > max_axis || groups * dims[1] != in.c || dims[0] % groups != 0)
    throw Error("reads " + std::to_string(in.c) + " channels, but its weights are for " + std::to_string(dims[1]) +
                " in each of " + std::to_string(groups) + " groups");
  const Conv2d layer{.out_channels = static_cast<int>(dims[0]),
                     .kernel = window.kernel,
                     .stride = window.stride,
                     .padding = window.padding,
                     .groups = static_cast<int>(groups),
                     .dilation = window.dilation,
                     .more_padding = window.more_padding};
  const OnnxTensor* const bias = node.has_input(2) ? &reader.needed_constant(node, 2) : nullptr;
  const auto weights = reader.weights(weight, bias, layer.out_channels);
  if (in_channels) return conv_over_channels(reader, node, from, window, layer, *weights);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, layer, weights);
  const Shape& out = reader.units()[unit].output;
  if (sequence)
    reader.define(node, unit, {reader.batch(), out.c, out.w});
  else
    reader.define(node, unit);
}

void pool(OnnxReader& reader, const OnnxNode& node, PoolType type) {
  const OnnxData& value = reader.value(node, 0);
  const OnnxMeaning* const low =
      type == PoolType::max && value.pieces.empty() && value.meaning && value.meaning->kind == OnnxMeaning::low_padded
          ? value.meaning.get()
          : nullptr;
  const OnnxData& from = low ? low->of : reader.data(node, 0);
  const bool sequence = !low && is_sequence(reader, from);
  if (!low && !sequence) reader.image(node, 0);
  const bool count_padding = type == PoolType::max || node.integer("count_include_pad", 0) != 0;
  const OnnxWindow window = pooling_window(sequence ? onnx_in_two_dimensions(node) : node, value.shape,
                                           type == PoolType::avg && count_padding);
  Pool2d layer{.type = type,
               .kernel = window.kernel,
               .stride = window.stride,
               .padding = window.padding,
               .count_padding = count_padding,
               .ceil = window.ceil,
               .dilation = window.dilation,
               .more_padding = window.more_padding};
  const int unit = reader.add_unit(node, from);
  if (low) {
    if (layer.ceil) throw Error("ceil_mode after padding with -inf is not supported");
    for (int d : {0, 1}) {
      const int end = layer.padding[d] + layer.more_padding[d], low_end = low->before[d] + low->more[d];
      if ((low->before[d] < 0 && layer.padding[d] > 0) || (low_end < 0 && end > 0))
        throw Error("padding an edge that a preceding Pad has cropped is not supported");
      layer.padding[d] += low->before[d];
      layer.more_padding[d] += low->more[d];
    }
  }
  if (type == PoolType::avg && layer.kernel == std::array{1, 1} && layer.padding == std::array{0, 0} && !layer.ceil)
    reader.append_padding(unit, layer.padding, layer.more_padding, layer.stride);  // one pixel: no average
  else
    reader.append(unit, layer);
  const Shape& out = reader.units()[unit].output;
  if (sequence)
    reader.define(node, unit, {reader.batch(), out.c, out.w});
  else
    reader.define(node, unit);
}
void max_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::max); }
void average_pool(OnnxReader& reader, const OnnxNode& node) { pool(reader, node, PoolType::avg); }

/// The bias of a Gemm, one number per column. ONNX broadcasts it to [batch, outputs].
std::vector<float> gemm_bias(OnnxReader& reader, const OnnxNode& node, std::int64_t outputs, float beta) {
  std::vector<float> bias(outputs, 0.0f);
  if (!node.has_input(2)) return bias;
  const OnnxTensor& tensor = reader.needed_constant(node, 2);
  const std::int64_t columns = tensor.dims.empty() ? 1 : tensor.dims.back();
  const bool one_row = tensor.dims.size() < 2 || (tensor.dims.size() == 2 && tensor.dims[0] == 1);
  if (!one_row || (columns != 1 && columns != outputs))
    throw Error("a bias of the shape " + to_string(tensor.dims) + "; only one value for each of the " +
                std::to_string(outputs) + " columns is supported");
  const std::vector<float> values = reader.floats(tensor);
  for (std::int64_t o = 0; o < outputs; ++o) bias[o] = beta * values[columns == 1 ? 0 : o];
  return bias;
}

/// A fully connected layer becomes a convolution with the whole image as its kernel. If channels are the last axis and
/// pixels are kept, it becomes a 1x1 convolution.
void matrix_product(OnnxReader& reader, const OnnxNode& node, bool transposed, float alpha, float beta) {
  const OnnxData from = reader.computed(node, 0);
  const OnnxTensor& matrix = reader.needed_constant(node, 1);
  const bool flat = from.dims == std::vector<std::int64_t>{reader.batch(), from.shape.size()};
  const bool by_pixel = !flat && (from.channels_last || from.pixels() == 1) && from.dims.size() > 2 &&
                        from.dims[0] == reader.batch() && from.dims.back() == from.shape.c;
  const std::int64_t ins = by_pixel ? from.shape.c : from.shape.size();
  if ((!flat && !by_pixel) || matrix.dims.size() != 2 || matrix.dims[transposed ? 1 : 0] != ins)
    throw Error(
        "its first input must be flattened to " +
        to_string(std::vector<std::int64_t>{reader.batch(), from.shape.size()}) +
        ", or have its channels last, and its second input must be a matching constant matrix; the shapes are " +
        to_string(from.dims) + " and " + to_string(matrix.dims));
  const std::int64_t rows = matrix.dims[0], columns = matrix.dims[1], outputs = transposed ? rows : columns;
  if (outputs < 1 || outputs > max_axis) throw Error("the shape of the matrix is out of range");
  ConvWeights weights{reader.floats(matrix), gemm_bias(reader, node, outputs, beta)};
  if (const bool last = flat && from.channels_last; !transposed || last) {
    // Reorders by output, then input. In an input that was flattened with channels last, the index is pixel * channels
    // + channel.
    std::vector<float> turned(weights.weight.size());
    for (std::int64_t i = 0; i < ins; ++i) {
      const std::int64_t in = last ? i % from.shape.c * from.pixels() + i / from.shape.c : i;
      for (std::int64_t o = 0; o < outputs; ++o)
        turned[o * ins + in] = weights.weight[transposed ? o * ins + i : i * outputs + o];
    }
    weights.weight = std::move(turned);
  }
  if (alpha != 1)
    for (float& w : weights.weight) w *= alpha;
  const std::array<int, 2> kernel = by_pixel ? std::array{1, 1} : std::array{from.shape.h, from.shape.w};
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Conv2d{.out_channels = static_cast<int>(outputs), .kernel = kernel},
                std::make_shared<const ConvWeights>(std::move(weights)));
  OnnxData result{{reader.units().all(unit)}, reader.units()[unit].output, from.dims};
  result.dims.back() = outputs;
  result.channels_last = by_pixel && result.pixels() > 1 && result.shape.c > 1;
  reader.define(node, std::move(result));
}

void gemm(OnnxReader& reader, const OnnxNode& node) {
  if (node.integer("transA", 0) != 0) throw Error("a transposed first input is not supported");
  if (reader.computed(node, 0).dims.size() != 2) throw Error("its first input must have two dimensions");
  matrix_product(reader, node, node.integer("transB", 0) != 0, node.real("alpha", 1), node.real("beta", 1));
}
void mat_mul(OnnxReader& reader, const OnnxNode& node) { matrix_product(reader, node, false, 1, 1); }

}  // namespace

void add_onnx_layers(OnnxOperators& operators) {
  operators["AveragePool"] = average_pool;
  operators["Conv"] = conv;
  operators["Gemm"] = gemm;
  operators["MatMul"] = mat_mul;
  operators["MaxPool"] = max_pool;
}

}  // namespace opsched

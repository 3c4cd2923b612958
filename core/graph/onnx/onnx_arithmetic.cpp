// Sums, differences, products and quotients, of values and constants.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

using Dims = std::vector<std::int64_t>;

/// The values that a node reads. If one has its channels last, all are treated as channels-last, and converted to
/// channels first.
struct Operands {
  std::vector<OnnxData> values;
  bool last = false;

  explicit Operands(std::vector<OnnxData> given) : values(std::move(given)) {
    last = std::ranges::any_of(values, &OnnxData::channels_last);
    if (!last) return;
    for (OnnxData& value : values) {
      if (value.dims.size() != values[0].dims.size())
        throw Error("its inputs " + to_string(values[0].dims) + " and " + to_string(value.dims) +
                    " have incompatible shapes");
      value = channels_first(value);
    }
  }
  void define(OnnxReader& reader, const OnnxNode& node, OnnxData result) const {
    reader.define(node, last ? channels_last(result) : std::move(result));
  }
};

Operands inputs_of(const OnnxReader& reader, const OnnxNode& node) {
  std::vector<OnnxData> values;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) values.push_back(reader.computed(node, i));
  return Operands(std::move(values));
}

/// The common dims after ONNX's broadcasting.
Dims common_dims(const std::vector<OnnxData>& values) {
  Dims dims = values[0].dims;
  for (const OnnxData& value : values) {
    bool fits = value.dims.size() == dims.size();
    for (std::size_t d = 0; fits && d < dims.size(); ++d) {
      fits = dims[d] == value.dims[d] || dims[d] == 1 || value.dims[d] == 1;
      dims[d] = std::max(dims[d], value.dims[d]);
    }
    if (!fits)
      throw Error("its inputs " + to_string(values[0].dims) + " and " + to_string(value.dims) +
                  " have incompatible shapes: different numbers of dimensions are not supported here");
  }
  return dims;
}

void add_up(OnnxReader& reader, const OnnxNode& node, Operands operands) {
  const Dims dims = common_dims(operands.values);
  for (OnnxData& value : operands.values) value = onnx_repeated(reader, node, value, dims, true);
  for (const OnnxData& value : operands.values)
    if (value.shape != operands.values[0].shape)
      throw Error("its inputs have incompatible shapes: they have been reshaped in different ways");
  const int unit = reader.add_unit(node, sum_terms(operands.values));
  operands.define(reader, node, {{reader.units().all(unit)}, operands.values[0].shape, dims});
}

void sum(OnnxReader& reader, const OnnxNode& node) {
  if (node.inputs.empty()) throw Error("it has no input");
  add_up(reader, node, inputs_of(reader, node));
}

/// The constant as one number per channel of `data`, after ONNX's broadcasting; empty if it is not that.
std::optional<std::vector<float>> by_channel(OnnxReader& reader, const OnnxTensor& constant, const OnnxData& data) {
  const std::size_t rank = constant.dims.size();
  std::vector<float> values = reader.floats(constant), each(data.shape.c);
  for (float value : values)
    if (!std::isfinite(value)) throw Error("constant '" + constant.name + "' is not finite");
  std::vector<std::pair<OnnxAxis, std::int64_t>> axes;  // axis, and its stride in the constant
  if (rank > data.dims.size()) return {};
  for (std::size_t d = rank, step = 1; d-- > 0; step *= constant.dims[d]) {
    if (constant.dims[d] == 1) continue;
    const std::size_t axis = data.dims.size() - rank + d;
    const auto what =
        data.channels_last ? std::optional(OnnxAxis{1, data.shape.c, 1}) : channel_axis(data, axis, reader.batch());
    if (!what || what->size != constant.dims[d] || (data.channels_last && axis != data.dims.size() - 1)) return {};
    axes.emplace_back(*what, step);
  }
  for (std::int64_t c = 0; c < data.shape.c; ++c) {
    std::int64_t at = 0;
    for (const auto& [axis, step] : axes) at += c / axis.inner % axis.size * step;
    each[c] = values[at];
  }
  return each;
}

/// Turns a constant with one number per value of an image like `data`, after ONNX's broadcasting, into a value: the
/// bias of a convolution over one pixel with zero weights, whose channels become the pixels.
OnnxData as_value(OnnxReader& reader, const OnnxNode& node, const OnnxTensor& constant, const OnnxData& data) {
  const std::vector<float> given = reader.floats(constant);
  Dims dims = constant.dims;
  while (dims.size() < data.dims.size()) dims.insert(dims.begin(), 1);
  bool fits = !data.channels_last && dims.size() == data.dims.size() && dims[0] == 1 &&
              data.dims[0] == reader.batch() && data.shape.size() <= max_axis;
  for (std::size_t d = 1; fits && d < dims.size(); ++d) fits = dims[d] == 1 || dims[d] == data.dims[d];
  if (!fits)
    throw Error("a constant of the shape " + to_string(constant.dims) + " combined with a value of the shape " +
                to_string(data.dims) + " is not supported here");
  std::vector<float> values(data.shape.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t at = 0, step = 1, rest = i;
    for (std::size_t d = dims.size(); d-- > 1; rest /= data.dims[d]) {
      if (dims[d] != 1) at += rest % data.dims[d] * step;
      step *= dims[d];
    }
    values[i] = given[at];
  }
  const Value& any = data.pieces.front();
  const int unit = reader.add_unit(node, std::vector<Term>{{Value{any.op, any.begin, any.begin + 1}}});
  reader.append(unit, Pool2d{.type = PoolType::global_avg});
  reader.append(unit, Conv2d{.out_channels = static_cast<int>(values.size())},
                std::make_shared<const ConvWeights>(ConvWeights{std::vector<float>(values.size(), 0.0f), values}));
  reader.append(unit, DepthToSpace{.block = {data.shape.h, data.shape.w}, .phase_first = false});
  return {{reader.units().all(unit)}, data.shape, data.dims};
}

void affine(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, std::vector<float> factor,
            std::vector<float> bias) {
  const int unit = reader.add_unit(node, from);
  reader.append_affine(unit, std::move(factor), std::move(bias));
  reader.define_like(node, unit, from);
}

/// Multiplies by a constant, and records it: the result may become part of a GELU.
void scale(OnnxReader& reader, const OnnxNode& node, std::size_t value, std::vector<float> factor) {
  const OnnxData from = reader.computed(node, value);
  const int unit = reader.add_unit(node, from);
  const float first = factor.front();
  const bool one = std::ranges::all_of(factor, [&](float f) { return f == first; });
  reader.append_affine(unit, std::move(factor), std::vector<float>(from.shape.c, 0.0f));
  OnnxData scaled = reader.data_like(unit, from);
  if (one) scaled.meaning = std::make_shared<const OnnxMeaning>(OnnxMeaning{OnnxMeaning::scaled, from, first});
  reader.define(node, std::move(scaled));
}

/// Index of the constant among the two inputs; -1: none.
int constant_input(OnnxReader& reader, const OnnxNode& node) {
  for (int i : {0, 1})
    if (reader.constant(node, i)) return i;
  return -1;
}

/// The constant among a node's two inputs, and the other input.
struct Constant {
  int input = -1;                                  ///< its index; -1: none
  OnnxData other;                                  ///< the other input
  std::optional<std::vector<float>> each_channel;  ///< the constant by channel; empty if it differs between pixels

  Constant(OnnxReader& reader, const OnnxNode& node) : input(constant_input(reader, node)) {
    if (input < 0) return;
    other = reader.computed(node, 1 - input);
    each_channel = by_channel(reader, *reader.constant(node, input), other);
  }
  /// Both inputs as values, with the constant's numbers transformed by `change`.
  template <class Change>
  Operands values(OnnxReader& reader, const OnnxNode& node, const Change& change) const {
    if (input < 0) return inputs_of(reader, node);
    OnnxTensor changed = *reader.constant(node, input);
    std::vector<double> numbers;
    for (float f : reader.floats(changed)) numbers.push_back(change(f));
    changed = onnx_tensor({changed.dims, std::move(numbers), OnnxNumbers::Type::floating});
    const OnnxData value = as_value(reader, node, changed, other);
    return Operands(input == 0 ? std::vector{value, other} : std::vector{other, value});
  }
};
float same(float f) { return f; }

void add(OnnxReader& reader, const OnnxNode& node) {
  if (recognise_onnx_add(reader, node)) return;
  const Constant constant(reader, node);
  if (!constant.each_channel) return add_up(reader, node, constant.values(reader, node, same));
  affine(reader, node, constant.other, std::vector<float>(constant.other.shape.c, 1.0f), *constant.each_channel);
}

void subtract(OnnxReader& reader, const OnnxNode& node) {
  if (recognise_onnx_sub(reader, node)) return;
  const Constant constant(reader, node);
  if (!constant.each_channel) {
    Operands operands = constant.values(reader, node, same);
    OnnxData& right = operands.values[1];
    const int negative = reader.add_unit(node, right);
    reader.append_affine(negative, std::vector<float>(right.shape.c, -1.0f), std::vector<float>(right.shape.c, 0.0f));
    right.pieces = {reader.units().all(negative)};
    return add_up(reader, node, std::move(operands));
  }
  const bool from_value = constant.input == 1;
  std::vector<float> bias = *constant.each_channel;
  if (from_value)
    for (float& b : bias) b = -b;
  affine(reader, node, constant.other, std::vector<float>(constant.other.shape.c, from_value ? 1.0f : -1.0f),
         std::move(bias));
}

void product(OnnxReader& reader, const OnnxNode& node, Operands operands) {
  const Dims dims = common_dims(operands.values);
  const auto is_image = [](const OnnxData& value) {
    const std::size_t rank = value.dims.size();
    return rank > 3 && value.dims[rank - 2] == value.shape.h && value.dims[rank - 1] == value.shape.w;
  };
  const bool alike = operands.values[0].dims == operands.values[1].dims;
  if (alike ? operands.values[0].shape != operands.values[1].shape : !std::ranges::all_of(operands.values, is_image))
    throw Error("its inputs " + to_string(operands.values[0].dims) + " and " + to_string(operands.values[1].dims) +
                " have incompatible shapes: only images, or values of the same shape, are supported here");
  std::vector<Term> factors;
  for (OnnxData& value : operands.values) {
    value = onnx_repeated(reader, node, value, dims, false);
    factors.push_back(reader.term_of(node, value));
  }
  const int unit = reader.add_product(node, std::move(factors));
  operands.define(reader, node, {{reader.units().all(unit)}, reader.units()[unit].output, dims});
}

void multiply(OnnxReader& reader, const OnnxNode& node) {
  if (recognise_onnx_mul(reader, node)) return;
  const Constant constant(reader, node);
  if (constant.each_channel) return scale(reader, node, 1 - constant.input, *constant.each_channel);
  product(reader, node, constant.values(reader, node, same));
}

float inverse(float f) {
  if (f == 0) throw Error("division by zero");
  return 1 / f;
}

void divide(OnnxReader& reader, const OnnxNode& node) {
  if (recognise_onnx_div(reader, node)) return;
  const Constant constant(reader, node);
  if (constant.input != 1) throw Error("only division by a constant is supported");
  if (!constant.each_channel) return product(reader, node, constant.values(reader, node, inverse));
  std::vector<float> factor = *constant.each_channel;
  for (float& f : factor) f = inverse(f);
  scale(reader, node, 0, std::move(factor));
}

void negate(OnnxReader& reader, const OnnxNode& node) {
  scale(reader, node, 0, std::vector<float>(reader.computed(node, 0).shape.c, -1.0f));
}

/// With one slope it is a leaky ReLU. With one per channel: slope * x + (1 - slope) * relu(x).
void p_relu(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.computed(node, 0);
  const auto given = by_channel(reader, reader.needed_constant(node, 1), from);
  if (!given) throw Error("slopes that differ between pixels are not supported");
  std::vector<float> slope = *given;
  const bool one = std::ranges::all_of(slope, [&](float f) { return f == slope.front(); });
  const int rectified = reader.add_unit(node, from);
  reader.append(rectified, Activate{one ? Activation{Activation::leaky_relu, slope.front()} : Activation::relu});
  if (one) return reader.define_like(node, rectified, from);
  const std::vector<float> none(slope.size(), 0.0f);
  std::vector<float> rest;
  for (float f : slope) rest.push_back(1 - f);
  const int positive = reader.add_unit(node, std::vector<Term>{{reader.units().all(rectified)}});
  reader.append_affine(positive, std::move(rest), none);
  const int all = reader.add_unit(node, from);
  reader.append_affine(all, std::move(slope), none);
  const int sum = reader.add_unit(node, std::vector<Term>{{reader.units().all(positive), reader.units().all(all)}});
  reader.define_like(node, sum, from);
}

void expand(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.data(node, 0);
  Dims dims = reader.integers(node, 1);
  while (dims.size() < from.dims.size()) dims.insert(dims.begin(), 1);
  if (dims.size() > from.dims.size()) throw Error("adding dimensions is not supported");
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 1) dims[d] = from.dims[d];
    if (dims[d] < 1 || (from.dims[d] != 1 && from.dims[d] != dims[d]))
      throw Error(to_string(from.dims) + " cannot be expanded to " + to_string(dims));
  }
  reader.define(node, onnx_repeated(reader, node, from, dims, true));
}

/// The channels of a value, repeated along axes [1, last).
OnnxData repeat_channels(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, const Dims& dims,
                         std::size_t last) {
  OnnxData result{{}, from.shape, dims};
  std::int64_t channels = 1;
  for (std::size_t d = 1; d < last; ++d) channels *= dims[d];
  if (channels > max_axis)
    throw Error("expands to " + std::to_string(channels) + " channels; at most " + std::to_string(max_axis) +
                " are supported");
  result.shape.c = static_cast<int>(channels);
  if (from.shape.c == 1 && channels > 8) {
    const int unit = reader.add_unit(node, from);
    reader.append(unit, Conv2d{.out_channels = result.shape.c},
                  std::make_shared<const ConvWeights>(
                      ConvWeights{std::vector<float>(channels, 1.0f), std::vector<float>(channels, 0.0f)}));
    result.pieces = {reader.units().all(unit)};
    return result;
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    std::int64_t at = 0, step = 1, rest = c;
    for (std::size_t d = last; d-- > 1; rest /= dims[d]) {
      if (from.dims[d] != 1) at += rest % dims[d] * step;
      step *= from.dims[d];
    }
    append_channels(result.pieces, from, at, at + 1);
  }
  return result;
}

}  // namespace

OnnxData onnx_repeated(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, const Dims& dims,
                       bool pixels_too) {
  if (from.dims == dims) return from;
  const std::size_t rank = dims.size();
  const auto refuse = [&] {
    throw Error("a value of the shape " + to_string(from.dims) + " cannot be repeated to " + to_string(dims) + " here");
  };
  if (rank < 3 || from.dims[0] != dims[0] || dims[0] != reader.batch()) refuse();
  const bool image = rank > 3 && from.dims[rank - 2] == from.shape.h && from.dims[rank - 1] == from.shape.w;
  std::size_t last = rank - 2;
  if (!image) {  // broadcasts only channels, and only if it is certain which axes those are
    last = rank;
    while (last > 1 && from.dims[last - 1] == dims[last - 1]) --last;
    if (last < 2 || !channel_axis(from, last - 1, reader.batch())) refuse();
  }
  OnnxData result = from;
  result.meaning = nullptr;
  const bool widens = !std::equal(dims.begin() + 1, dims.begin() + last, from.dims.begin() + 1);
  if (widens && (image ? from.shape.c > 1 || pixels_too : true)) {
    std::int64_t inner = 1;
    for (std::size_t d = last; d < rank; ++d) inner *= from.dims[d];
    if (inner != from.pixels()) refuse();
    result = repeat_channels(reader, node, from, dims, last);
  }
  result.dims = dims;
  if (!image || !pixels_too) return result;
  const std::array<int, 2> size{static_cast<int>(std::min<std::int64_t>(dims[rank - 2], max_axis)),
                                static_cast<int>(std::min<std::int64_t>(dims[rank - 1], max_axis))};
  if (size == std::array{from.shape.h, from.shape.w}) return result;
  const int unit = reader.add_unit(node, result);
  reader.append(unit, Resize2d{.size = size, .coordinates = Coordinates::asymmetric, .rounding = Rounding::floor});
  result.pieces = {reader.units().all(unit)};
  result.shape = reader.units()[unit].output;
  return result;
}

void add_onnx_arithmetic(OnnxOperators& operators) {
  operators["Add"] = add;
  operators["Div"] = divide;
  operators["Expand"] = expand;
  operators["Mul"] = multiply;
  operators["Neg"] = negate;
  operators["PRelu"] = p_relu;
  operators["Sub"] = subtract;
  operators["Sum"] = sum;
}

}  // namespace opsched

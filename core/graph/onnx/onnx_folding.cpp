// Constant folding: arithmetic on shapes, standardisation of weights.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_numbers.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace folding {  // a separate namespace, because operators have the same names
namespace {

using Dims = std::vector<std::int64_t>;
using Numbers = OnnxNumbers;
using Type = OnnxNumbers::Type;

/// A node and its inputs.
struct Call {
  OnnxReader& reader;
  const OnnxNode& node;
  std::vector<Numbers> inputs;

  bool has(std::size_t i) const { return node.has_input(i); }
  const Numbers& operator[](std::size_t i) const {
    if (!has(i)) throw Error("input " + std::to_string(i) + " is missing");
    return inputs[i];
  }
  /// A list that is an attribute in old versions and an input in later ones.
  Dims list(const char* attribute, std::size_t input, Dims otherwise = {}) const {
    if (const auto* given = node.integers(attribute)) return *given;
    return has(input) ? inputs[input].integers() : otherwise;
  }
};

// ---- number by number

template <class F>
Numbers each(const Call& call, F f) {
  Numbers result = call[0];
  for (double& value : result.values) value = f(value);
  return result;
}

template <class F>
Numbers each_pair(const Call& call, F f) {
  Numbers result;
  for (std::size_t i = 0; i < std::max<std::size_t>(call.inputs.size(), 2); ++i) {
    if (i == 0) {
      result = call[0];
      continue;
    }
    const Dims dims = broadcast_dims(result.dims, call[i].dims);
    result = broadcast(result, dims);
    const Numbers other = broadcast(call[i], dims);
    if (result.type != other.type && (result.type == Type::floating || other.type == Type::floating))
      throw Error("its inputs mix floats and integers");
    for (std::size_t k = 0; k < result.values.size(); ++k)
      result.values[k] = f(result.values[k], other.values[k], result.type);
  }
  return result;
}

template <class F>
Numbers compare(const Call& call, F f) {
  Numbers result = each_pair(call, [&](double a, double b, Type) { return f(a, b); });
  result.type = Type::boolean;
  return result;
}

double quotient(double a, double b, Type type) {
  if (type == Type::floating) return a / b;
  if (b == 0) throw Error("division by zero");
  return std::trunc(a / b);
}

Numbers modulo(const Call& call) {
  const bool like_c = call.node.integer("fmod", 0) != 0;
  return each_pair(call, [&](double a, double b, Type type) {
    if (b == 0 && type != Type::floating) throw Error("division by zero");
    const double rest = std::fmod(a, b);
    return like_c || rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b;
  });
}

Numbers where(const Call& call) {
  const Dims dims = broadcast_dims(broadcast_dims(call[0].dims, call[1].dims), call[2].dims);
  const Numbers condition = broadcast(call[0], dims), yes = broadcast(call[1], dims), no = broadcast(call[2], dims);
  Numbers result = yes;
  for (std::size_t i = 0; i < result.values.size(); ++i)
    if (condition.values[i] == 0) result.values[i] = no.values[i];
  return result;
}

Numbers clip(const Call& call) {
  const double low = call.has(1) ? call[1].values.at(0) : call.node.real("min", -HUGE_VALF),
               high = call.has(2) ? call[2].values.at(0) : call.node.real("max", HUGE_VALF);
  return each(call, [&](double a) { return std::min(std::max(a, low), high); });
}

/// Converts numbers to another ONNX type.
void convert(Numbers& result, int to) {
  result.type = is_onnx_float(to) ? Type::floating : to == 9 ? Type::boolean : Type::integer;
  if (result.type == Type::integer && to != 6 && to != 7)
    throw Error("integer constants cannot be converted to " + onnx_type_name(to));
  for (double& value : result.values) {
    if (result.type == Type::boolean) value = value != 0;
    if (result.type == Type::integer && !(std::abs(value) < 9.3e18))
      throw Error("a number is too large for an integer");
    if (result.type == Type::integer) value = std::trunc(value);
  }
}

Numbers cast(const Call& call) {
  Numbers result = call[0];
  convert(result, static_cast<int>(call.node.integer("to", 0)));
  return result;
}

// ---- along axes

std::vector<std::size_t> axes_of(const Call& call, std::size_t rank, std::size_t input) {
  std::vector<std::size_t> axes;
  for (std::int64_t axis : call.list("axes", input)) axes.push_back(onnx_axis(axis, rank, rank - 1));
  if (axes.empty() && call.node.integer("noop_with_empty_axes", 0) == 0)
    for (std::size_t d = 0; d < rank; ++d) axes.push_back(d);
  std::ranges::sort(axes);
  return axes;
}

template <class F>
Numbers reduce(const Call& call, F f) {
  return reduced(call[0], axes_of(call, call[0].dims.size(), 1), call.node.integer("keepdims", 1) != 0, f);
}
double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }
double sum_of_squares(const std::vector<double>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}
double product(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 1.0, std::multiplies<>());
}

Numbers transpose(const Call& call) {
  Dims order;
  const std::size_t rank = call[0].dims.size();
  for (std::size_t d = rank; d-- > 0;) order.push_back(static_cast<std::int64_t>(d));
  if (const auto* given = call.node.integers("perm")) order = *given;
  Dims sorted = order;
  std::ranges::sort(sorted);
  for (std::size_t d = 0; d < sorted.size(); ++d)
    if (sorted.size() != rank || sorted[d] != static_cast<std::int64_t>(d))
      throw Error("perm is not a permutation of its input's axes");
  return transposed(call[0], order);
}

Numbers concat(const Call& call) {
  const std::size_t rank = call[0].dims.size();
  if (rank == 0) throw Error("scalars cannot be concatenated");
  return joined(call.inputs, onnx_axis(call.node.integer("axis", 1), rank, rank - 1));
}

Numbers gather(const Call& call) {
  const Numbers& from = call[0];
  if (from.dims.empty()) throw Error("cannot gather from a scalar");
  const std::size_t axis = onnx_axis(call.node.integer("axis", 0), from.dims.size(), from.dims.size() - 1);
  const auto length = static_cast<std::size_t>(from.dims[axis]);
  std::vector<Numbers> parts;
  for (std::int64_t place : call[1].integers()) {
    if (length == 0) throw Error("cannot gather from an empty axis");
    const auto at = static_cast<std::int64_t>(onnx_axis(place, length, length - 1));
    parts.push_back(part_of(from, axis, at, at + 1));
  }
  if (parts.empty()) parts.push_back(part_of(from, axis, 0, 0));
  Numbers result = joined(parts, axis);
  result.dims.erase(result.dims.begin() + axis);
  result.dims.insert(result.dims.begin() + axis, call[1].dims.begin(), call[1].dims.end());
  return result;
}

Numbers slice(const Call& call) {
  const auto cuts = onnx_cuts(call.reader, call.node, call[0].dims);
  Dims dims = call[0].dims, strides = dense_strides(dims);
  std::int64_t start = 0;
  for (const auto& [axis, cut] : cuts) {
    dims[axis] = cut.count();
    start += dims[axis] > 0 ? cut.begin * strides[axis] : 0;
    strides[axis] *= cut.step;
  }
  return strided(call[0], start, dims, strides);
}

Numbers expand(const Call& call) { return broadcast(call[0], broadcast_dims(call[0].dims, call[1].integers())); }

Numbers tile(const Call& call) {
  Numbers result = call[0];
  const Dims times = call[1].integers();
  if (times.size() != result.dims.size()) throw Error("needs one repeat count for each axis");
  for (std::size_t axis = 0; axis < times.size(); ++axis) {
    if (times[axis] < 1 || times[axis] > max_onnx_numbers) throw Error("a repeat count is out of range");
    Dims all = result.dims;
    all[axis] *= times[axis];
    onnx_count(all);
    result = joined(std::vector<Numbers>(times[axis], result), axis);
  }
  return result;
}

Numbers range(const Call& call) {
  for (std::size_t i : {0, 1, 2})
    if (call[i].size() != 1) throw Error("start, limit and delta must be single numbers");
  const double begin = call[0].values[0], end = call[1].values[0], step = call[2].values[0];
  const double count = step == 0 ? HUGE_VAL : std::max(std::ceil((end - begin) / step), 0.0);
  if (!(count <= max_onnx_numbers)) throw Error("the range has too many numbers");
  Numbers result{{static_cast<std::int64_t>(count)}, {}, call[0].type};
  for (std::int64_t i = 0; i < result.dims[0]; ++i) result.values.push_back(begin + i * step);
  return result;
}

Numbers constant_of_shape(const Call& call) {
  const Dims dims = call[0].integers();
  const auto found = call.node.attributes.find("value");
  Numbers value{{}, {0}, Type::floating};
  if (found != call.node.attributes.end()) value = call.reader.numbers(found->second.tensor);
  if (value.size() != 1) throw Error("its value must be one number");
  return {dims, std::vector<double>(onnx_count(dims), value.values[0]), value.type};
}

Numbers mat_mul(const Call& call) {
  const Numbers &a = call[0], &b = call[1];
  if (a.dims.size() != 2 || b.dims.size() != 2 || a.dims[1] != b.dims[0])
    throw Error("only matrices with matching dimensions can be multiplied");
  Numbers result{{a.dims[0], b.dims[1]}, std::vector<double>(onnx_count({a.dims[0], b.dims[1]}), 0.0), a.type};
  for (std::int64_t i = 0; i < a.dims[0]; ++i)
    for (std::int64_t k = 0; k < a.dims[1]; ++k)
      for (std::int64_t j = 0; j < b.dims[1]; ++j)
        result.values[i * b.dims[1] + j] += a.values[i * a.dims[1] + k] * b.values[k * b.dims[1] + j];
  return result;
}

/// Models use it on constants to standardise weights; in training mode, by the weights' own mean and variance.
Numbers batch_normalization(const Call& call) {
  const Numbers& from = call[0];
  if (from.dims.size() < 2) throw Error("its input has no channels");
  std::vector<std::size_t> others{0};
  for (std::size_t d = 2; d < from.dims.size(); ++d) others.push_back(d);
  Numbers mean = call[3], variance = call[4];
  if (call.node.integer("training_mode", 0) != 0) {
    const auto average = [](const std::vector<double>& v) { return sum(v) / static_cast<double>(v.size()); };
    mean = reduced(from, others, false, average);
    variance = reduced(from, others, false, [&](const std::vector<double>& v) {
      const double middle = average(v);
      double squares = 0;
      for (double x : v) squares += (x - middle) * (x - middle);
      return squares / static_cast<double>(v.size());
    });
  }
  for (std::size_t i : {1, 2})
    if (call[i].dims != mean.dims || variance.dims != mean.dims) throw Error("needs one number per channel");
  Numbers result = from;
  const std::int64_t channels = from.dims[1], inner = dense_strides(from.dims)[1];
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const std::int64_t c = i / inner % channels;
    const double deviation = std::sqrt(variance.values[c] + call.node.real("epsilon", 1e-5f));
    result.values[i] = (from.values[i] - mean.values[c]) / deviation * call[1].values[c] + call[2].values[c];
  }
  return result;
}

// ---- the list

using Function = std::function<Numbers(const Call&)>;

template <class F>
Function unary(F f) {
  return [f](const Call& call) { return each(call, f); };
}
template <class F>
Function binary(F f) {
  return [f](const Call& call) { return each_pair(call, f); };
}
template <class F>
Function comparison(F f) {
  return [f](const Call& call) { return compare(call, f); };
}
template <class F>
Function reduction(F f) {
  return [f](const Call& call) { return reduce(call, f); };
}
Numbers logical_not(const Call& call) {
  return each(call, [](double a) { return double(a == 0); });
}
Numbers activation(const Call& call) {
  const Activation act = call.node.type == "Relu"      ? Activation::relu
                         : call.node.type == "Sigmoid" ? Activation::sigmoid
                                                       : Activation::tanh;
  return each(call, [&](double a) { return activated(static_cast<float>(a), act); });
}

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> all = {
      {"Abs", unary([](double a) { return std::abs(a); })},
      {"Add", binary([](double a, double b, Type) { return a + b; })},
      {"And", comparison([](double a, double b) { return a != 0 && b != 0; })},
      {"BatchNormalization", batch_normalization},
      {"Cast", cast},
      {"Ceil", unary([](double a) { return std::ceil(a); })},
      {"Clip", clip},
      {"Concat", concat},
      {"ConstantOfShape", constant_of_shape},
      {"Div", binary(quotient)},
      {"Equal", comparison([](double a, double b) { return a == b; })},
      {"Erf", unary([](double a) { return std::erf(a); })},
      {"Exp", unary([](double a) { return std::exp(a); })},
      {"Expand", expand},
      {"Floor", unary([](double a) { return std::floor(a); })},
      {"Gather", gather},
      {"Greater", comparison([](double a, double b) { return a > b; })},
      {"GreaterOrEqual", comparison([](double a, double b) { return a >= b; })},
      {"Less", comparison([](double a, double b) { return a < b; })},
      {"LessOrEqual", comparison([](double a, double b) { return a <= b; })},
      {"Log", unary([](double a) { return std::log(a); })},
      {"MatMul", mat_mul},
      {"Max", binary([](double a, double b, Type) { return std::max(a, b); })},
      {"Min", binary([](double a, double b, Type) { return std::min(a, b); })},
      {"Mod", modulo},
      {"Mul", binary([](double a, double b, Type) { return a * b; })},
      {"Neg", unary([](double a) { return -a; })},
      {"Not", logical_not},
      {"Or", comparison([](double a, double b) { return a != 0 || b != 0; })},
      {"Pow", binary([](double a, double b, Type) { return std::pow(a, b); })},
      {"Range", range},
      {"Reciprocal", unary([](double a) { return 1 / a; })},
      {"ReduceMax", reduction([](const std::vector<double>& v) { return *std::ranges::max_element(v); })},
      {"ReduceMean", reduction([](const std::vector<double>& v) { return sum(v) / static_cast<double>(v.size()); })},
      {"ReduceMin", reduction([](const std::vector<double>& v) { return *std::ranges::min_element(v); })},
      {"ReduceL2", reduction([](const std::vector<double>& v) { return std::sqrt(sum_of_squares(v)); })},
      {"ReduceProd", reduction(product)},
      {"ReduceSum", reduction(sum)},
      {"ReduceSumSquare", reduction(sum_of_squares)},
      {"Relu", activation},
      {"Round", unary([](double a) { return std::nearbyint(a); })},
      {"Sigmoid", activation},
      {"Slice", slice},
      {"Sqrt", unary([](double a) { return std::sqrt(a); })},
      {"Sub", binary([](double a, double b, Type) { return a - b; })},
      {"Sum", binary([](double a, double b, Type) { return a + b; })},
      {"Tanh", activation},
      {"Tile", tile},
      {"Transpose", transpose},
      {"Where", where}};
  return all;
}

/// All float types are one type here.
void cast_value(OnnxReader& reader, const OnnxNode& node) {
  const auto to = static_cast<int>(node.integer("to", 0));
  if (!is_onnx_float(to)) throw Error("only constants can be converted to " + onnx_type_name(to));
  reader.define_same(node);
}

/// Converts to the type of the second input. All computed values are floats.
void cast_like(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor *const from = reader.constant(node, 0), *const like = reader.constant(node, 1);
  if (!from && like && !is_onnx_float(like->type))
    throw Error("only constants can be converted to " + onnx_type_name(like->type));
  if (!from) return reader.define_same(node);
  Numbers numbers = reader.numbers(*from);
  convert(numbers, like ? like->type : 1);
  reader.define(node, onnx_tensor(numbers));
}

}  // namespace
}  // namespace folding

bool folds_onnx(const OnnxNode& node) { return folding::functions().contains(node.type); }

bool fold_onnx(OnnxReader& reader, const OnnxNode& node) {
  const auto found = folding::functions().find(node.type);
  if (found == folding::functions().end() || node.inputs.empty()) return false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (node.has_input(i) && !reader.constant(node, i)) return false;
  folding::Call call{reader, node, {}};
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    call.inputs.push_back(node.has_input(i) ? reader.numbers(*reader.constant(node, i)) : OnnxNumbers{});
  reader.define(node, onnx_tensor(found->second(call)));
  return true;
}

void add_onnx_folding(OnnxOperators& operators) {
  operators["Cast"] = folding::cast_value;
  operators["CastLike"] = folding::cast_like;
}

}  // namespace opsched

// Arithmetic on the shapes of values: all of it is constant here, since shapes are.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

using Integers = std::vector<std::int64_t>;

constexpr std::int64_t longest = 1 << 20;  // of what is worked out here

void shape(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor* const constant = reader.constant(node, 0);
  const Integers dims = constant ? constant->dims : reader.data(node, 0).dims;
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto inside = [&](std::int64_t i) { return std::clamp(i < 0 ? i + rank : i, std::int64_t{0}, rank); };
  const std::int64_t begin = inside(node.integer("start", 0)), end = inside(node.integer("end", rank));
  const Integers part(dims.begin() + begin, dims.begin() + std::max(begin, end));
  reader.define(node, onnx_integers({static_cast<std::int64_t>(part.size())}, part));
}

/// Numbers of a list, by their places.
void gather(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor& list = reader.needed_constant(node, 0);
  const OnnxTensor& places = reader.needed_constant(node, 1);
  if (list.dims.size() != 1) throw Error("only from a list of constants");
  const Integers values = reader.integers(list);
  Integers part;
  for (std::int64_t i : reader.integers(places))
    part.push_back(values.at(onnx_axis(i, values.size(), values.size() - 1)));
  reader.define(node, onnx_integers(places.dims, part));
}

/// Between integers, and from floats to integers and back.
void cast(OnnxReader& reader, const OnnxNode& node) {
  const auto to = static_cast<int>(node.integer("to", 0));
  if (!reader.constant(node, 0)) {
    if (!is_onnx_float(to)) throw Error("a value cannot become " + onnx_type_name(to) + ", only a constant can");
    return reader.define_same(node);  // all are float here
  }
  const OnnxTensor& tensor = *reader.constant(node, 0);
  const std::vector<double> values = reader.numbers(tensor);
  if (is_onnx_float(to)) return reader.define(node, onnx_floats(tensor.dims, {values.begin(), values.end()}));
  if (to != 6 && to != 7) throw Error("constants cannot become " + onnx_type_name(to));
  Integers integers;
  for (double value : values) {
    if (!(std::abs(value) < 1e15)) throw Error("a number that is too large");
    integers.push_back(static_cast<std::int64_t>(value));
  }
  reader.define(node, onnx_integers(tensor.dims, integers));
}

void range(OnnxReader& reader, const OnnxNode& node) {
  const double begin = reader.number(node, 0, 0), end = reader.number(node, 1, 0), step = reader.number(node, 2, 1);
  for (std::size_t i : {0, 1, 2})
    if (!reader.needed_constant(node, i).is_integer()) throw Error("only of integers");
  const double count = step == 0 ? -1 : std::ceil((end - begin) / step);
  if (step == 0 || count > longest) throw Error("too many numbers");
  Integers values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<std::int64_t>(begin + i * step));
  reader.define(node, onnx_integers({static_cast<std::int64_t>(values.size())}, values));
}

void constant_of_shape(OnnxReader& reader, const OnnxNode& node) {
  const Integers dims = reader.integers(node, 0);
  std::int64_t count = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0 || dim > longest || (count *= dim) > longest) throw Error("too large, or less than empty");
  }
  const auto found = node.attributes.find("value");
  if (found == node.attributes.end()) return reader.define(node, onnx_floats(dims, std::vector<float>(count, 0.0f)));
  const OnnxTensor& value = found->second.tensor;
  if (value.size() != 1) throw Error("its value must be one number");
  if (value.is_integer())
    reader.define(node, onnx_integers(dims, Integers(count, reader.integers(value)[0])));
  else
    reader.define(node, onnx_floats(dims, std::vector<float>(count, reader.floats(value)[0])));
}

}  // namespace

bool fold_onnx_arithmetic(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor *const left = reader.constant(node, 0), *const right = reader.constant(node, 1);
  if (!left || !right) return false;
  const std::int64_t a = left->size(), b = right->size(), count = a == 1 ? b : a;
  if ((a != b && a != 1 && b != 1) || (a == b && left->dims != right->dims && a != 1) || count > longest)
    throw Error("constants of the shapes " + to_string(left->dims) + " and " + to_string(right->dims) +
                ": only lists of one length, or one number, are worked out");
  const Integers dims = a == b   ? (left->dims.size() >= right->dims.size() ? left->dims : right->dims)
                        : a == 1 ? right->dims
                                 : left->dims;
  const auto each = [&](const auto& x, const auto& y, auto result) {
    using T = typename decltype(result)::value_type;
    for (std::int64_t i = 0; i < count; ++i) {
      const T p = x[a == 1 ? 0 : i], q = y[b == 1 ? 0 : i];
      if (node.type == "Div" && q == 0) throw Error("divides by zero");
      if (std::abs(static_cast<double>(p)) > 1e15 || std::abs(static_cast<double>(q)) > 1e15)
        if (node.type != "Div") throw Error("numbers that are too large");
      if (node.type == "Mul" && std::abs(static_cast<double>(p) * static_cast<double>(q)) > 1e18)
        throw Error("numbers that are too large");
      result.push_back(node.type == "Add" ? p + q : node.type == "Sub" ? p - q : node.type == "Mul" ? p * q : p / q);
    }
    return result;
  };
  if (left->is_integer() && right->is_integer())
    reader.define(node, onnx_integers(dims, each(reader.integers(*left), reader.integers(*right), Integers{})));
  else
    reader.define(node, onnx_floats(dims, each(reader.floats(*left), reader.floats(*right), std::vector<float>{})));
  return true;
}

void add_onnx_folding(OnnxOperators& operators) {
  operators["Cast"] = cast;
  operators["ConstantOfShape"] = constant_of_shape;
  operators["Gather"] = gather;
  operators["Range"] = range;
  operators["Shape"] = shape;
}

}  // namespace opsched

// Operators that only name, cut or join what is there, and those that work on constants.
#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

std::int64_t product(const std::vector<std::int64_t>& dims, std::size_t begin, std::size_t end) {
  return std::accumulate(dims.begin() + begin, dims.begin() + end, std::int64_t{1}, std::multiplies<>());
}

/// An axis from the front. Throws Error if there is no such axis.
std::size_t axis_of(std::int64_t axis, std::size_t rank, std::size_t last) {
  const std::int64_t from_front = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
  if (from_front < 0 || from_front > static_cast<std::int64_t>(last))
    throw Error("there is no axis " + std::to_string(axis) + " in " + std::to_string(rank) + " dimensions");
  return static_cast<std::size_t>(from_front);
}

void identity(OnnxReader& reader, const OnnxNode& node) { reader.define_same(node); }

void dropout(OnnxReader& reader, const OnnxNode& node) {
  if (node.has_input(2)) {
    const OnnxTensor* const training = reader.constant(node, 2);
    if (!training) throw Error("training_mode must be a constant");
    if (reader.integers(node, 2) != std::vector<std::int64_t>{0}) throw Error("training mode is not supported");
  }
  reader.define_same(node);
}

void flatten(OnnxReader& reader, const OnnxNode& node) {
  OnnxData value = reader.data(node, 0);
  const std::size_t rank = value.dims.size(), axis = axis_of(node.integer("axis", 1), rank, rank);
  value.dims = {product(value.dims, 0, axis), product(value.dims, axis, rank)};
  reader.define(node, std::move(value));
}

/// The dims that Reshape makes of `from`.
std::vector<std::int64_t> reshaped(const std::vector<std::int64_t>& from, std::vector<std::int64_t> to,
                                   bool allow_zero) {
  if (to.size() > 64) throw Error("no reshape to " + std::to_string(to.size()) + " dimensions");
  const std::string wish = to_string(to);
  const std::int64_t count = product(from, 0, from.size());
  std::int64_t known = 1;
  int open = -1;
  for (std::size_t d = 0; d < to.size(); ++d) {
    if (to[d] == 0 && !allow_zero && d < from.size()) to[d] = from[d];
    if (to[d] == -1 && open < 0) {
      open = static_cast<int>(d);
      continue;
    }
    if (to[d] < 1 || to[d] > count) throw Error("no reshape of " + to_string(from) + " to " + wish);
    known *= to[d];
    if (known > count) throw Error("no reshape of " + to_string(from) + " to " + wish);
  }
  if (open >= 0) to[open] = count / known;
  if (product(to, 0, to.size()) != count) throw Error("no reshape of " + to_string(from) + " to " + wish);
  return to;
}

void reshape(OnnxReader& reader, const OnnxNode& node) {
  OnnxData value = reader.data(node, 0);
  value.dims = reshaped(value.dims, reader.integers(node, 1), node.integer("allowzero", 0) != 0);
  reader.define(node, std::move(value));
}

void concat(OnnxReader& reader, const OnnxNode& node) {
  std::vector<Term> terms;
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const OnnxData& part = reader.channels(node, i);
    for (const Value& piece : part.pieces) terms.push_back({piece});
    std::vector<std::int64_t> others = part.dims;
    if (!dims.empty()) others[1] = dims[1];
    if (!dims.empty() && others != dims)
      throw Error("its inputs " + to_string(dims) + " and " + to_string(part.dims) + " do not fit together");
    dims = part.dims;
  }
  if (terms.empty()) throw Error("has no input");
  if (axis_of(node.integer("axis", 1), dims.size(), dims.size() - 1) != 1)
    throw Error("only concatenation along channels (axis 1) is supported");
  const int unit = reader.add_unit(node, std::move(terms));
  dims[1] = reader.units()[unit].output.c;
  reader.define(node, unit, std::move(dims));
}

void constant(OnnxReader& reader, const OnnxNode& node) {
  const auto& given = node.attributes;
  if (const auto found = given.find("value"); found != given.end())
    reader.define(node, found->second.tensor);
  else if (const auto number = given.find("value_int"); number != given.end())
    reader.define(node, onnx_integers({}, {number->second.integer}));
  else if (const auto list = given.find("value_ints"); list != given.end())
    reader.define(node,
                  onnx_integers({static_cast<std::int64_t>(list->second.integers.size())}, list->second.integers));
  else if (const auto real = given.find("value_float"); real != given.end())
    reader.define(node, onnx_floats({}, {real->second.real}));
  else if (const auto reals = given.find("value_floats"); reals != given.end())
    reader.define(node, onnx_floats({static_cast<std::int64_t>(reals->second.reals.size())}, reals->second.reals));
  else
    throw Error("only constants given as a tensor or as numbers are supported");
}

}  // namespace

void add_onnx_shapes(OnnxOperators& operators) {
  operators["Concat"] = concat;
  operators["Constant"] = constant;
  operators["Dropout"] = dropout;
  operators["Flatten"] = flatten;
  operators["Identity"] = identity;
  operators["Reshape"] = reshape;
}

}  // namespace opsched

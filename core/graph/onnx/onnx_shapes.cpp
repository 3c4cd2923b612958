// Operators that only rename or reshape a value, and constants.
#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_numbers.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

std::int64_t product(const std::vector<std::int64_t>& dims, std::size_t begin, std::size_t end) {
  return std::accumulate(dims.begin() + begin, dims.begin() + end, std::int64_t{1}, std::multiplies<>());
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

bool is_flat(const OnnxReader& reader, const OnnxData& value) {
  return value.dims == std::vector<std::int64_t>{reader.batch(), value.shape.size()};
}

void flatten(OnnxReader& reader, const OnnxNode& node) {
  OnnxData value = reader.computed(node, 0);
  value.meaning = nullptr;
  const std::size_t rank = value.dims.size(), axis = onnx_axis(node.integer("axis", 1), rank, rank);
  value.dims = {product(value.dims, 0, axis), product(value.dims, axis, rank)};
  if (value.channels_last && !is_flat(reader, value)) reader.data(node, 0);
  reader.define(node, std::move(value));
}

/// The dims that a Reshape gives to `from`.
std::vector<std::int64_t> reshaped(const std::vector<std::int64_t>& from, std::vector<std::int64_t> to,
                                   bool allow_zero) {
  if (to.size() > 64) throw Error("cannot reshape to " + std::to_string(to.size()) + " dimensions");
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
    if (to[d] < 1 || to[d] > count) throw Error("cannot reshape " + to_string(from) + " to " + wish);
    known *= to[d];
    if (known > count) throw Error("cannot reshape " + to_string(from) + " to " + wish);
  }
  if (open >= 0) to[open] = count / known;
  if (product(to, 0, to.size()) != count) throw Error("cannot reshape " + to_string(from) + " to " + wish);
  return to;
}

void reshape(OnnxReader& reader, const OnnxNode& node) {
  if (const OnnxTensor* tensor = reader.constant(node, 0)) {
    OnnxTensor other = *tensor;
    other.dims = reshaped(other.dims, reader.integers(node, 1), node.integer("allowzero", 0) != 0);
    return reader.define(node, std::move(other));
  }
  OnnxData value = reader.value(node, 0);
  value.dims = reshaped(value.dims, reader.integers(node, 1), node.integer("allowzero", 0) != 0);
  value.meaning = nullptr;
  if (value.pieces.empty() || (value.channels_last && value.dims.back() != value.shape.c && !is_flat(reader, value)))
    reader.data(node, 0);
  reader.define(node, std::move(value));
}

/// Moves channels to the last axis, or back to the second one, if `order` does only that. Other axes keep their order.
bool turned(OnnxData& value, const std::vector<std::int64_t>& order) {
  const auto last = static_cast<std::int64_t>(order.size()) - 1;
  if (last < 2 || order[0] != 0) return false;
  std::vector<std::int64_t> to_last{0}, to_first{0, last};
  for (std::int64_t d = 2; d <= last; ++d) to_last.push_back(d);
  to_last.push_back(1);
  for (std::int64_t d = 1; d < last; ++d) to_first.push_back(d);
  if (value.channels_last && order == to_first) {
    value = channels_first(value);
    return true;
  }
  if (value.channels_last || order != to_last || value.dims[1] != value.shape.c || value.pixels() == 1) return false;
  value = channels_last(value);
  return true;
}

/// Reorders channels, as in a channel shuffle: channels are viewed as several axes, which change places. Other axes
/// must stay.
void transpose(OnnxReader& reader, const OnnxNode& node) {
  OnnxData value = reader.computed(node, 0);
  value.meaning = nullptr;
  const std::size_t rank = value.dims.size();
  std::vector<std::int64_t> order;
  if (const auto* given = node.integers("perm"))
    order = *given;
  else
    for (std::size_t d = rank; d-- > 0;) order.push_back(static_cast<std::int64_t>(d));
  std::vector<char> seen(rank, 0);
  for (std::int64_t& axis : order) {
    axis = static_cast<std::int64_t>(onnx_axis(axis, rank, rank - 1));
    if (seen[axis]++) throw Error("an axis is given twice");
  }
  if (order.size() != rank) throw Error("perm and its input have different numbers of axes");
  if (turned(value, order)) return reader.define(node, std::move(value));
  if (value.channels_last) reader.data(node, 0);
  std::vector<std::int64_t> dims;
  for (std::int64_t axis : order) dims.push_back(value.dims[axis]);
  std::size_t first = 0, last = rank;  // axes [first, last) change places; axes of size 1 may be anywhere
  while (first < last && order[first] == static_cast<std::int64_t>(first)) ++first;
  while (last > first && order[last - 1] == static_cast<std::int64_t>(last - 1)) --last;
  if (first < last) {
    std::int64_t before = product(value.dims, 0, first), inner = product(value.dims, last, rank);
    const std::int64_t plane = std::int64_t{value.shape.h} * value.shape.w;
    if (before % reader.batch() != 0 || inner % plane != 0 || before < reader.batch() ||
        value.dims[0] != reader.batch())
      throw Error("transposing " + to_string(value.dims) + " with perm " + to_string(order) +
                  " is not supported; only axes that together are the channels can change places");
    std::vector<Value> channel;
    for (const Value& piece : value.pieces)
      for (int c = piece.begin; c < piece.end; ++c) channel.push_back({piece.op, c, c + 1});
    // Strides of the axes, in channels; the axes after `last` count whole channels.
    std::vector<std::int64_t> stride(rank, 0);
    std::int64_t step = inner / plane;
    for (std::size_t d = last; d-- > 1;) stride[d] = step, step *= value.dims[d];
    if (step != value.shape.c) throw Error("this order of axes is not supported");
    std::vector<Value> pieces;
    std::vector<std::int64_t> index(rank, 0);
    for (std::int64_t done = 0; done < value.shape.c; done += inner / plane) {
      std::int64_t from = 0;
      for (std::size_t d = 1; d < last; ++d) from += index[d] * stride[order[d]];
      for (std::int64_t c = from; c < from + inner / plane; ++c) {
        const Value& one = channel[c];
        if (!pieces.empty() && pieces.back().op == one.op && pieces.back().end == one.begin)
          pieces.back().end = one.end;
        else
          pieces.push_back(one);
      }
      for (std::size_t d = last; d-- > 1;) {
        if (++index[d] < dims[d]) break;
        index[d] = 0;
      }
    }
    value.pieces = std::move(pieces);
  }
  value.dims = std::move(dims);
  reader.define(node, std::move(value));
}

/// Axes of Squeeze and Unsqueeze; an attribute before version 13.
std::vector<std::int64_t> axes_of(OnnxReader& reader, const OnnxNode& node) {
  const auto* given = node.integers("axes");
  return given ? *given : node.has_input(1) ? reader.integers(node, 1) : std::vector<std::int64_t>{};
}

std::vector<std::int64_t> unsqueeze(std::vector<std::int64_t> dims, const std::vector<std::int64_t>& axes) {
  const std::size_t rank = dims.size() + axes.size();
  std::vector<char> added(rank, 0);
  for (std::int64_t axis : axes)
    if (added[onnx_axis(axis, rank, rank - 1)]++) throw Error("an axis is given twice");
  for (std::size_t d = 0; d < rank; ++d)
    if (added[d]) dims.insert(dims.begin() + d, 1);
  return dims;
}

std::vector<std::int64_t> squeeze(std::vector<std::int64_t> dims, const std::vector<std::int64_t>& axes) {
  std::vector<char> gone(dims.size(), axes.empty());
  for (std::int64_t axis : axes) gone[onnx_axis(axis, dims.size(), dims.size() - 1)] = 1;
  std::vector<std::int64_t> rest;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (!gone[d] || (axes.empty() && dims[d] != 1))
      rest.push_back(dims[d]);
    else if (dims[d] != 1)
      throw Error("axis " + std::to_string(d) + " of " + to_string(dims) + " is not 1");
  }
  return rest;
}

template <std::vector<std::int64_t> change(std::vector<std::int64_t>, const std::vector<std::int64_t>&)>
void with_axes(OnnxReader& reader, const OnnxNode& node) {
  const auto axes = axes_of(reader, node);
  if (const OnnxTensor* tensor = reader.constant(node, 0)) {
    OnnxTensor other = *tensor;
    other.dims = change(other.dims, axes);
    return reader.define(node, std::move(other));
  }
  OnnxData value = reader.data(node, 0);
  value.dims = change(value.dims, axes);
  reader.define(node, std::move(value));
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
    reader.define(node, onnx_tensor({{}, {real->second.real}, OnnxNumbers::Type::floating}));
  else if (const auto reals = given.find("value_floats"); reals != given.end())
    reader.define(node, onnx_tensor({{static_cast<std::int64_t>(reals->second.reals.size())},
                                     {reals->second.reals.begin(), reals->second.reals.end()},
                                     OnnxNumbers::Type::floating}));
  else
    throw Error("only a constant given as a tensor or as numbers is supported");
}

void shape_of_value(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor* const constant = reader.constant(node, 0);
  const std::vector<std::int64_t> dims = constant ? constant->dims : reader.data(node, 0).dims;
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto inside = [&](std::int64_t i) { return std::clamp(i < 0 ? i + rank : i, std::int64_t{0}, rank); };
  const std::int64_t begin = inside(node.integer("start", 0)), end = inside(node.integer("end", rank));
  const std::vector<std::int64_t> part(dims.begin() + begin, dims.begin() + std::max(begin, end));
  reader.define(node, onnx_integers({static_cast<std::int64_t>(part.size())}, part));
}

void size_of_value(OnnxReader& reader, const OnnxNode& node) {
  const OnnxTensor* const constant = reader.constant(node, 0);
  const std::vector<std::int64_t> dims = constant ? constant->dims : reader.data(node, 0).dims;
  reader.define(node, onnx_integers({}, {onnx_count(dims)}));
}

}  // namespace

void add_onnx_shapes(OnnxOperators& operators) {
  operators["Constant"] = constant;
  operators["Dropout"] = dropout;
  operators["Flatten"] = flatten;
  operators["Identity"] = identity;
  operators["Reshape"] = reshape;
  operators["Shape"] = shape_of_value;
  operators["Size"] = size_of_value;
  operators["Squeeze"] = with_axes<squeeze>;
  operators["Transpose"] = transpose;
  operators["Unsqueeze"] = with_axes<unsqueeze>;
}

}  // namespace opsched

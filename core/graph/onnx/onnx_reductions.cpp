// Sums, means and maxima over axes, and Softmax.
#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

enum class Reduce { sum, mean, max };

/// The axes of a reduction, with channels first.
struct ReducedAxes {
  OnnxData from;
  bool was_last = false;
  std::set<std::size_t> given, wide;  ///< all axes; those of size other than 1

  ReducedAxes(OnnxReader& reader, const OnnxNode& node) : from(reader.value(node, 0)), was_last(from.channels_last) {
    std::vector<std::int64_t> list;
    if (const auto* attribute = node.integers("axes"))
      list = *attribute;
    else if (node.has_input(1))
      list = reader.integers(node, 1);
    const std::size_t rank = from.dims.size();
    if (list.empty()) throw Error("reducing over all axes is not supported");
    for (std::int64_t axis : list) given.insert(onnx_axis(axis, rank, rank - 1));
    if (was_last) from = channels_first(from);
    for (std::size_t axis : given) {
      if (was_last && axis > 0) axis = axis == rank - 1 ? 1 : axis + 1;
      if (from.dims[axis] != 1) wide.insert(axis);
    }
  }

  /// The normalisation over these axes; empty if none matches.
  std::optional<Normalize> groups(int batch) const {
    if (wide.empty() || *wide.begin() == 0 || from.dims[0] != batch) return std::nullopt;
    const std::size_t first = *wide.begin(), last = *wide.rbegin();
    std::int64_t outer = 1, inner = 1;
    for (std::size_t d = 1; d < from.dims.size(); ++d) {
      if (d < first) outer *= from.dims[d];
      if (d > last) inner *= from.dims[d];
      if (d >= first && d <= last && from.dims[d] != 1 && !wide.contains(d)) return std::nullopt;
    }
    if (from.shape.c % outer != 0 || (inner != 1 && inner != from.pixels())) return std::nullopt;
    return Normalize{.groups = static_cast<int>(outer), .per_pixel = inner != 1, .epsilon = 0};
  }
};

/// Sums over one channel axis: by adding slices, or by a convolution if there are many.
OnnxData summed(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, std::size_t axis, const OnnxAxis& what,
                float factor) {
  OnnxData result = cut_axis(from, axis, what, 0, 1);
  if (what.size <= 16) {
    std::vector<OnnxData> parts;
    for (std::int64_t i = 0; i < what.size; ++i) parts.push_back(cut_axis(from, axis, what, i, i + 1));
    int unit = reader.add_unit(node, sum_terms(parts));
    if (factor != 1) {
      unit = reader.add_unit(node, std::vector<Term>{{reader.units().all(unit)}});
      reader.append_affine(unit, std::vector<float>(result.shape.c, factor), std::vector<float>(result.shape.c, 0.0f));
    }
    result.pieces = {reader.units().all(unit)};
    return result;
  }
  const std::int64_t columns = what.size * what.inner;
  if (columns * result.shape.c > max_elements / 16) throw Error("the axis is too long to be reduced here");
  ConvWeights weights{std::vector<float>(result.shape.c * columns, 0.0f), std::vector<float>(result.shape.c, 0.0f)};
  for (std::int64_t row = 0; row < result.shape.c; ++row)
    for (std::int64_t i = 0; i < what.size; ++i)
      weights.weight[row * columns + i * what.inner + row % what.inner] = factor;
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Conv2d{.out_channels = result.shape.c, .groups = static_cast<int>(what.outer)},
                std::make_shared<const ConvWeights>(std::move(weights)));
  result.pieces = {reader.units().all(unit)};
  return result;
}

OnnxData pooled_whole(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, Reduce kind) {
  const int unit = reader.add_unit(node, from);
  if (kind == Reduce::max)
    reader.append(unit, Pool2d{.type = PoolType::max, .kernel = {from.shape.h, from.shape.w}});
  else
    reader.append(unit, Pool2d{.type = PoolType::global_avg});
  OnnxData result{{reader.units().all(unit)}, reader.units()[unit].output, from.dims};
  if (kind != Reduce::sum) return result;
  const int scaled = reader.add_unit(node, result);
  reader.append_affine(scaled, std::vector<float>(from.shape.c, static_cast<float>(from.pixels())),
                       std::vector<float>(from.shape.c, 0.0f));
  result.pieces = {reader.units().all(scaled)};
  return result;
}

/// Reduces, and keeps the reduced axes with size 1. Throws Error if it cannot be computed.
OnnxData reduced_axes(OnnxReader& reader, const OnnxNode& node, const ReducedAxes& axes, Reduce kind) {
  OnnxData result = axes.from;
  result.meaning = nullptr;
  std::int64_t pixels = 1;
  for (std::size_t axis : axes.wide)
    if (!channel_axis(axes.from, axis, reader.batch())) pixels *= axes.from.dims[axis];
  if (pixels != 1 && pixels != axes.from.pixels())
    throw Error("reducing over the axes " + to_string(std::vector<std::int64_t>(axes.given.begin(), axes.given.end())) +
                " of " + to_string(axes.from.dims) +
                " is not supported; only all pixels or axes of channels can be reduced");
  // Channels are reduced before pixels, while the axes still have their meaning.
  for (std::size_t axis : axes.wide) {
    const auto what = channel_axis(result, axis, reader.batch());
    if (!what) continue;
    if (kind == Reduce::max) throw Error("the maximum over channels is not supported");
    result = summed(reader, node, result, axis, *what, kind == Reduce::mean ? 1.0f / what->size : 1.0f);
  }
  if (pixels == 1) return result;
  if (axes.from.dims[0] != reader.batch() || axes.wide.contains(0))
    throw Error("reducing over the batch is not supported");
  result = pooled_whole(reader, node, result, kind);
  for (std::size_t axis : axes.wide) result.dims[axis] = 1;
  return result;
}

template <Reduce kind>
void reduce(OnnxReader& reader, const OnnxNode& node) {
  const ReducedAxes axes(reader, node);
  const bool keeps = node.integer("keepdims", 1) != 0;
  const OnnxData& value = reader.value(node, 0);
  const auto groups = kind == Reduce::mean && keeps ? axes.groups(reader.batch()) : std::nullopt;
  if (groups && value.meaning && value.meaning->kind == OnnxMeaning::squares) {
    OnnxMeaning variance = *value.meaning;
    if (!(variance.how == *groups)) throw Error("the variance and the mean are over different axes");
    variance.kind = OnnxMeaning::variance;
    return reader.define_step(node, std::move(variance), value);
  }
  reader.computed(node, 0);
  OnnxData result;
  try {
    result = reduced_axes(reader, node, axes, kind);
  } catch (const Error&) {
    if (!groups) throw;
    result.dims = axes.from.dims;
    for (std::size_t axis : axes.wide) result.dims[axis] = 1;
  }
  if (groups) result.meaning = std::make_shared<const OnnxMeaning>(OnnxMeaning{OnnxMeaning::mean, value, 0, *groups});
  if (axes.was_last && !result.pieces.empty()) {
    auto meaning = result.meaning;
    result = channels_last(result);
    result.meaning = std::move(meaning);
  }
  if (!keeps)
    for (auto axis = axes.given.rbegin(); axis != axes.given.rend(); ++axis)
      result.dims.erase(result.dims.begin() + *axis);
  reader.define(node, std::move(result));
}

void global_max_pool(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Pool2d{.type = PoolType::max, .kernel = {from.shape.h, from.shape.w}});
  reader.define(node, unit);
}

void global_average_pool(OnnxReader& reader, const OnnxNode& node) {
  const int unit = reader.add_unit(node, reader.image(node, 0));
  reader.append(unit, Pool2d{.type = PoolType::global_avg});
  reader.define(node, unit);
}

/// From version 13 on it is over one axis, before that over all axes from one on.
void softmax(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData given = reader.computed(node, 0);
  const std::size_t rank = given.dims.size();
  const std::int64_t said = node.integer("axis", reader.opset() >= 13 ? -1 : 1);
  std::size_t axis = onnx_axis(said, rank, rank - 1);
  const bool one_axis = reader.opset() >= 13 || (given.channels_last && axis == rank - 1);
  OnnxData from = given;
  if (given.channels_last) {
    from = channels_first(given);
    axis = axis == 0 ? 0 : axis == rank - 1 ? 1 : axis + 1;
    if (!one_axis) axis = rank;  // no such axis: rejected below
  }
  std::optional<OnnxAxis> what = channel_axis(from, axis, reader.batch());
  if (what && !one_axis && what->inner > 1) what = OnnxAxis{what->outer, what->size * what->inner, 1};
  if (!what || (!one_axis && from.pixels() > 1))
    throw Error("softmax along axis " + std::to_string(said) + " of " + to_string(given.dims) +
                " is not supported; only along channels");
  const int unit = reader.add_unit(node, given);
  reader.append(unit, Softmax{static_cast<int>(what->size), static_cast<int>(what->inner)});
  reader.define_like(node, unit, given);
}

}  // namespace

void add_onnx_reductions(OnnxOperators& operators) {
  operators["GlobalAveragePool"] = global_average_pool;
  operators["GlobalMaxPool"] = global_max_pool;
  operators["ReduceMax"] = reduce<Reduce::max>;
  operators["ReduceMean"] = reduce<Reduce::mean>;
  operators["ReduceSum"] = reduce<Reduce::sum>;
  operators["Softmax"] = softmax;
}

}  // namespace opsched

// Operators that cut values apart and join them. Cutting channels costs nothing; rows and columns are cut by windows of
// one pixel.
#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/graph/graph_spec.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

OnnxAxis needed_channels(OnnxReader& reader, const OnnxData& from, std::size_t axis) {
  const std::optional<OnnxAxis> what = channel_axis(from, axis, reader.batch());
  if (!what)
    throw Error("axis " + std::to_string(axis) + " of " + to_string(from.dims) +
                " is not an axis of channels; only those are supported here");
  return *what;
}

/// Cuts a value along an axis into parts of these sizes.
std::vector<OnnxData> parts_of(const OnnxData& from, std::size_t axis, const OnnxAxis& what,
                               const std::vector<std::int64_t>& sizes) {
  std::vector<OnnxData> parts;
  std::int64_t at = 0;
  for (std::int64_t size : sizes) {
    if (size < 1 || size > what.size - at)
      throw Error("a part of " + std::to_string(size) + " channels is empty or too large");
    parts.push_back(cut_axis(from, axis, what, at, at + size));
    at += size;
  }
  if (at != what.size) throw Error("its parts do not add up to its input");
  return parts;
}

/// Sizes of equal parts; the last one may be smaller.
std::vector<std::int64_t> equal_parts(std::int64_t all, std::int64_t each) {
  if (each < 1) throw Error("parts must have at least 1 channel, not " + std::to_string(each));
  std::vector<std::int64_t> sizes;
  for (std::int64_t at = 0; at < all; at += each) sizes.push_back(std::min(each, all - at));
  return sizes;
}

void split(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.data(node, 0);
  const std::size_t axis = onnx_axis(node.integer("axis", 0), from.dims.size(), from.dims.size() - 1);
  const OnnxAxis what = needed_channels(reader, from, axis);
  const auto count = static_cast<std::int64_t>(node.outputs.size());
  const auto* const given = node.integers("split");
  const std::vector<std::int64_t> sizes = given               ? *given
                                          : node.has_input(1) ? reader.integers(node, 1)
                                                              : equal_parts(what.size, (what.size + count - 1) / count);
  std::vector<OnnxData> parts = parts_of(from, axis, what, sizes);
  if (parts.size() != node.outputs.size()) throw Error("its parts do not add up to its input");
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!node.outputs[i].empty()) reader.define(node, std::move(parts[i]), i);
}

/// As split(), but as a list from which SequenceAt takes a part.
void split_to_sequence(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.data(node, 0);
  const std::size_t axis = onnx_axis(node.integer("axis", 0), from.dims.size(), from.dims.size() - 1);
  const OnnxAxis what = needed_channels(reader, from, axis);
  if (!node.has_input(1)) {
    std::vector<OnnxData> parts = parts_of(from, axis, what, equal_parts(what.size, 1));
    if (node.integer("keepdims", 1) == 0)
      for (OnnxData& part : parts) part.dims.erase(part.dims.begin() + static_cast<std::ptrdiff_t>(axis));
    return reader.define_sequence(node, std::move(parts));
  }
  std::vector<std::int64_t> sizes = reader.integers(node, 1);
  if (reader.needed_constant(node, 1).dims.empty()) sizes = equal_parts(what.size, sizes.at(0));
  reader.define_sequence(node, parts_of(from, axis, what, sizes));
}

void sequence_at(OnnxReader& reader, const OnnxNode& node) {
  const std::vector<OnnxData>& parts = reader.sequence(node, 0);
  const auto place = static_cast<std::int64_t>(reader.number(node, 1, 0));
  reader.define(node, OnnxData(parts[onnx_axis(place, parts.size(), parts.size() - 1)]));
}

/// Takes rows and columns of an image at a regular step.
OnnxData cut_pixels(OnnxReader& reader, const OnnxNode& node, const OnnxData& from,
                    const std::array<OnnxCut, 2>& cuts) {
  std::array<int, 2> before{}, more{}, stride{};
  const std::array<int, 2> size{from.shape.h, from.shape.w};
  for (int d : {0, 1}) {
    if (cuts[d].step < 1 || cuts[d].count() < 1)
      throw Error("rows and columns can only be sliced forwards, and not to nothing");
    const std::int64_t last = cuts[d].begin + (cuts[d].count() - 1) * cuts[d].step;
    before[d] = -static_cast<int>(cuts[d].begin);
    more[d] = static_cast<int>(last + 1 - size[d]) - before[d];
    stride[d] = static_cast<int>(std::min<std::int64_t>(cuts[d].step, size[d]));
  }
  const int unit = reader.add_unit(node, from);
  reader.append_padding(unit, before, more, stride);
  const Shape& shape = reader.units()[unit].output;
  return {{reader.units().all(unit)}, shape, {reader.batch(), shape.c, shape.h, shape.w}};
}

void slice(OnnxReader& reader, const OnnxNode& node) {
  OnnxData value = reader.data(node, 0);
  value.meaning = nullptr;
  std::array<OnnxCut, 2> pixels{OnnxCut{0, value.shape.h}, OnnxCut{0, value.shape.w}};
  bool cuts_pixels = false;
  for (const auto& [axis, cut] : onnx_cuts(reader, node, value.dims)) {
    if (cut.begin == 0 && cut.end == value.dims[axis] && cut.step == 1) continue;
    if (const auto what = channel_axis(value, axis, reader.batch()); what && what->size > 1) {
      if (cut.step != 1 || cut.begin >= cut.end)
        throw Error("channels can only be sliced forwards with a step of 1, and not to nothing");
      value = cut_axis(value, axis, *what, cut.begin, cut.end);
      continue;
    }
    if (axis < 2 || value.dims.size() != 4 || value.dims[1] != value.shape.c || value.dims[2] != value.shape.h ||
        value.dims[3] != value.shape.w) {
      needed_channels(reader, value, axis);  // throws an Error if these are not channels
      throw Error("the slice leaves nothing of axis " + std::to_string(axis));
    }
    pixels[axis - 2] = cut;
    cuts_pixels = true;
  }
  reader.define(node, cuts_pixels ? cut_pixels(reader, node, value, pixels) : std::move(value));
}

/// Takes places along channels; the indices must be constant.
void gather(OnnxReader& reader, const OnnxNode& node) {
  OnnxData from = reader.data(node, 0);
  std::size_t axis = onnx_axis(node.integer("axis", 0), from.dims.size(), from.dims.size() - 1);
  const bool batchless = reader.batch() == 1 && from.dims[0] != 1;  // an image without a batch axis
  if (batchless) {
    from.dims.insert(from.dims.begin(), 1);
    ++axis;
  }
  const OnnxAxis what = needed_channels(reader, from, axis);
  const OnnxTensor& places = reader.needed_constant(node, 1);
  std::vector<std::int64_t> at = reader.integers(places);
  if (at.empty() || what.outer * static_cast<std::int64_t>(at.size()) * what.inner > max_axis)
    throw Error("cannot gather " + std::to_string(at.size()) + " channels");
  for (std::int64_t& place : at) place = static_cast<std::int64_t>(onnx_axis(place, what.size, what.size - 1));
  OnnxData result{{}, from.shape, from.dims};
  for (std::int64_t o = 0; o < what.outer; ++o)
    for (std::int64_t place : at)
      append_channels(result.pieces, from, (o * what.size + place) * what.inner,
                      (o * what.size + place + 1) * what.inner);
  result.shape.c = static_cast<int>(what.outer * static_cast<std::int64_t>(at.size()) * what.inner);
  result.dims.erase(result.dims.begin() + axis);
  result.dims.insert(result.dims.begin() + axis, places.dims.begin(), places.dims.end());
  if (batchless) result.dims.erase(result.dims.begin());
  reader.define(node, std::move(result));
}

/// Joins the pixels of several images, if all are [batch, channels, pixels]; otherwise returns false.
bool concat_pixels(OnnxReader& reader, const OnnxNode& node) {
  std::vector<OnnxData> parts;
  std::int64_t width = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const OnnxData& part = parts.emplace_back(reader.data(node, i));
    const std::int64_t pixels = std::int64_t{part.shape.h} * part.shape.w;
    if (part.dims != std::vector<std::int64_t>{reader.batch(), parts[0].shape.c, pixels} || pixels < 2 ||
        part.shape.c != parts[0].shape.c || onnx_axis(node.integer("axis", 1), 3, 2) != 2)
      return false;
    width += pixels;
  }
  if (width > max_axis) throw Error("the result of " + std::to_string(width) + " pixels is too large");
  Term sum;
  std::int64_t begin = 0;
  for (const OnnxData& part : parts) {
    sum.push_back(reader.pixel_row(node, part, begin, width).pieces.front());
    begin += part.dims[2];
  }
  reader.define(node, reader.add_unit(node, std::vector<Term>{sum}), {reader.batch(), parts[0].shape.c, width});
  return true;
}

void concat(OnnxReader& reader, const OnnxNode& node) {
  if (concat_pixels(reader, node)) return;
  std::vector<OnnxData> parts;
  std::vector<OnnxAxis> axes;
  std::size_t axis = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const OnnxData& part = parts.emplace_back(reader.data(node, i));
    axis = onnx_axis(node.integer("axis", 1), part.dims.size(), part.dims.size() - 1);
    axes.push_back(needed_channels(reader, part, axis));
    std::vector<std::int64_t> others = part.dims;
    if (others.size() == parts[0].dims.size()) others[axis] = parts[0].dims[axis];
    if (others != parts[0].dims || axes[i].inner != axes[0].inner || axes[i].outer != axes[0].outer ||
        part.shape.h != parts[0].shape.h || part.shape.w != parts[0].shape.w)
      throw Error("its inputs " + to_string(parts[0].dims) + " and " + to_string(part.dims) +
                  " have incompatible shapes");
  }
  if (parts.empty()) throw Error("it has no input");
  std::vector<Term> terms;
  for (std::int64_t o = 0; o < axes[0].outer; ++o)
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::vector<Value> pieces;
      append_channels(pieces, parts[i], o * axes[i].size * axes[i].inner, (o + 1) * axes[i].size * axes[i].inner);
      for (const Value& piece : pieces) terms.push_back({piece});
    }
  std::vector<std::int64_t> dims = parts[0].dims;
  dims[axis] = 0;
  for (const OnnxAxis& part : axes) dims[axis] += part.size;
  reader.define(node, reader.add_unit(node, std::move(terms)), std::move(dims));
}

/// Turns blocks of pixels into channels: one image per place in a block. DCR keeps each image's channels together; CRD
/// interleaves them.
void space_to_depth(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData from = reader.image(node, 0);
  const std::int64_t block = node.integer("blocksize", 0);
  if (block < 1 || from.shape.h % block != 0 || from.shape.w % block != 0 || block * block > max_file_values)
    throw Error("blocks of " + std::to_string(block) + " pixels do not divide " + to_string(from.shape));
  const std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw Error("mode '" + mode + "' is unknown");
  std::vector<OnnxData> places;
  for (std::int64_t y = 0; y < block; ++y)
    for (std::int64_t x = 0; x < block; ++x)
      places.push_back(
          cut_pixels(reader, node, from, {OnnxCut{y, from.shape.h, block}, OnnxCut{x, from.shape.w, block}}));
  std::vector<Value> pieces;
  const int together = mode == "DCR" ? from.shape.c : 1;
  for (int c = 0; c < from.shape.c; c += together)
    for (const OnnxData& place : places) append_channels(pieces, place, c, c + together);
  std::vector<Term> terms;
  for (const Value& piece : pieces) terms.push_back({piece});
  reader.define(node, reader.add_unit(node, std::move(terms)));
}

}  // namespace

std::map<std::size_t, OnnxCut> onnx_cuts(OnnxReader& reader, const OnnxNode& node,
                                         const std::vector<std::int64_t>& dims) {
  const auto list = [&](std::size_t i, const char* name) {  // an attribute before version 10
    const auto* given = node.integers(name);
    return given ? *given : node.has_input(i) ? reader.integers(node, i) : std::vector<std::int64_t>{};
  };
  const auto starts = list(1, "starts"), ends = list(2, "ends");
  auto axes = list(3, "axes"), steps = list(4, "steps");
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || axes.size() != starts.size() || steps.size() != starts.size())
    throw Error("starts, ends, axes and steps have different lengths");
  std::map<std::size_t, OnnxCut> cuts;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = onnx_axis(axes[i], dims.size(), dims.size() - 1);
    const std::int64_t size = dims[axis], step = steps[i];
    if (step == 0) throw Error("a step is 0");
    const auto inside = [&](std::int64_t at) {
      if (at < 0) at = at < -size ? -1 : at + size;  // anything further below counts as just before the first
      return step > 0 ? std::clamp(at, std::int64_t{0}, size) : std::clamp(at, std::int64_t{-1}, size - 1);
    };
    cuts.insert_or_assign(axis, OnnxCut{inside(starts[i]), inside(ends[i]), step});
  }
  return cuts;
}

void add_onnx_slices(OnnxOperators& operators) {
  operators["Concat"] = concat;
  operators["Gather"] = gather;
  operators["SequenceAt"] = sequence_at;
  operators["Slice"] = slice;
  operators["SpaceToDepth"] = space_to_depth;
  operators["Split"] = split;
  operators["SplitToSequence"] = split_to_sequence;
}

}  // namespace opsched

// Operators that change an image's size: padding, resizing, transposed convolution.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"
#include "core/graph/onnx/onnx_window.hpp"

namespace opsched {
namespace {

/// Have the pixels of this image been reshaped into one row?
bool is_pixel_row(const OnnxReader& reader, const OnnxData& value) {
  const Shape& shape = value.shape;
  return shape.h > 1 &&
         value.dims == std::vector<std::int64_t>{reader.batch(), shape.c, 1, std::int64_t{shape.h} * shape.w};
}

/// Pads an image with zeros at its four edges, or crops it.
void pad(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& seen = reader.data(node, 0);
  const OnnxData from =
      is_pixel_row(reader, seen) ? reader.pixel_row(node, seen, 0, seen.dims[3]) : reader.image(node, 0);
  const auto* attribute = node.integers("pads");  // before version 11
  const std::vector<std::int64_t> given = attribute ? *attribute : reader.integers(node, 1);
  std::vector<std::int64_t> axes{0, 1, 2, 3};
  if (node.has_input(3)) axes = reader.integers(node, 3);
  if (given.size() != 2 * axes.size()) throw Error("the number of pads does not match the number of axes");
  std::array<std::int64_t, 4> begin{}, end{};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = onnx_axis(axes[i], 4, 3);
    begin[axis] = given[i];
    end[axis] = given[axes.size() + i];
  }
  for (int axis = 0; axis < 4; ++axis)
    if (std::max(std::abs(begin[axis]), std::abs(end[axis])) > max_axis ||
        (axis < 2 && (begin[axis] != 0 || end[axis] != 0)))
      throw Error("only height and width can be padded here; the pads are " + to_string(given));
  if (std::ranges::all_of(given, [](std::int64_t n) { return n == 0; })) return reader.define(node, OnnxData(from));
  const std::array<int, 2> before{static_cast<int>(begin[2]), static_cast<int>(begin[3])},
      more{static_cast<int>(end[2] - begin[2]), static_cast<int>(end[3] - begin[3])};
  const bool adds = std::max({begin[2], begin[3], end[2], end[3]}) > 0;
  if (const std::string mode = node.text("mode", "constant"); adds && mode != "constant")
    throw Error("mode '" + mode + "' is not supported, only 'constant'");
  const double value = reader.number(node, 2, node.real("value", 0));
  if (adds && value != 0 && value != -HUGE_VAL)
    throw Error("only padding with zeros is supported, or with -inf in front of a max pool");
  if (adds && value != 0) {
    const Shape out = infer_shape(
        Conv2d{.out_channels = from.shape.c, .padding = before, .groups = from.shape.c, .more_padding = more},
        from.shape);
    return reader.define_step(node, {OnnxMeaning::low_padded, from, 0, {}, before, more},
                              {{}, out, {reader.batch(), out.c, out.h, out.w}});
  }
  const int unit = reader.add_unit(node, from);
  reader.append_padding(unit, before, more);
  reader.define(node, unit);
}

/// What a node specifies for every axis, or for those in its attribute "axes".
template <class T>
std::array<T, 4> by_axis(const OnnxNode& node, const std::vector<T>& given, std::array<T, 4> otherwise) {
  std::vector<std::int64_t> axes{0, 1, 2, 3};
  if (const auto* named = node.integers("axes")) axes = *named;
  if (given.size() != axes.size()) throw Error("the number of sizes or scales does not match the number of axes");
  for (std::size_t i = 0; i < axes.size(); ++i) otherwise[onnx_axis(axes[i], 4, 3)] = given[i];
  return otherwise;
}

/// Sets the size that a node resizes an image to.
void resize_to(OnnxReader& reader, const OnnxNode& node, const Shape& from, Resize2d& layer) {
  const std::array<int, 2> size{from.h, from.w};
  const std::size_t scales_at = node.type == "Upsample" ? 1 : 2;
  if (node.has_input(3)) {
    const auto wish = by_axis<std::int64_t>(node, reader.integers(node, 3), {reader.batch(), from.c, from.h, from.w});
    if (wish[0] != reader.batch() || wish[1] != from.c)
      throw Error("only height and width can be resized; the sizes are " + to_string({wish.begin(), wish.end()}));
    for (int d : {0, 1}) layer.size[d] = static_cast<int>(std::clamp<std::int64_t>(wish[d + 2], 0, max_axis + 1));
    return;
  }
  if (!node.has_input(scales_at)) throw Error("needs scales or sizes");
  const auto scales =
      by_axis<double>(node, reader.numbers(reader.needed_constant(node, scales_at)).values, {1, 1, 1, 1});
  if (scales[0] != 1 || scales[1] != 1 || !(scales[2] > 0) || !(scales[3] > 0))
    throw Error("the scales of batch and channels must be 1, those of height and width positive");
  for (int d : {0, 1}) {
    layer.size[d] = static_cast<int>(std::min(std::floor(size[d] * scales[d + 2]), double(max_axis) + 1));
    if (layer.size[d] == size[d] * scales[d + 2]) continue;
    layer.scale[d] = scales[d + 2];
    // ONNX aligns the corners of the size before rounding, onnxruntime and PyTorch those of the size after it.
    if (layer.coordinates == Coordinates::align_corners)
      throw Error("with align_corners, the scales must give a whole size; export the model with sizes");
  }
}

/// Resizes an image; also Upsample, the older name.
void resize(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const bool upsample = node.type == "Upsample";
  if (const std::string p = node.text("keep_aspect_ratio_policy", "stretch"); p != "stretch")
    throw Error("keep_aspect_ratio_policy '" + p + "' is not supported");
  if (node.integer("antialias", 0) != 0) throw Error("antialias is not supported");
  Resize2d layer{.size = {from.shape.h, from.shape.w}};
  const std::string where = node.text("coordinate_transformation_mode", upsample ? "asymmetric" : "half_pixel");
  if (where == "asymmetric")
    layer.coordinates = Coordinates::asymmetric;
  else if (where == "align_corners")
    layer.coordinates = Coordinates::align_corners;
  resize_to(reader, node, from.shape, layer);
  if (where != "asymmetric" && where != "align_corners" && where != "half_pixel" &&
      (where != "pytorch_half_pixel" || layer.size[0] == 1 || layer.size[1] == 1))
    throw Error("coordinate_transformation_mode '" + where + "' is not supported");
  const std::string mode = node.text("mode", "nearest");
  if (mode != "nearest" && mode != "linear" && mode != "bilinear")
    throw Error("mode '" + mode + "' is not supported; use nearest or linear");
  layer.interpolation = mode == "nearest" ? Interpolation::nearest : Interpolation::linear;
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

/// A transposed convolution: its taps write `stride` pixels apart for neighbouring inputs. With a stride of 1 it is a
/// convolution with the flipped kernel. Otherwise every output pixel of a stride x stride block reads different taps,
/// so a convolution with stride 1 computes the block as channels, which then become pixels.
struct Transposed {
  std::array<int, 2> kernel, stride, dilation;  ///< attributes of the node
  std::array<int, 2> out;                       ///< size of the node's output
  std::array<int, 2> taps{}, padding{}, more{}, crop{}, crop_end{};

  Transposed(const OnnxNode& node, const std::vector<std::int64_t>& weight, const Shape& in) {
    const auto list = [&](const char* name, const std::vector<std::int64_t>& otherwise) {
      const auto* given = node.integers(name);
      const std::vector<std::int64_t> values = given && !given->empty() ? *given : otherwise;
      if (std::ranges::any_of(values, [](std::int64_t n) { return n < 0 || n > max_axis; }))
        throw Error(std::string(name) + ": a number is out of range");
      return values;
    };
    const auto strides = list("strides", {1, 1}), dilations = list("dilations", {1, 1}),
               pads = list("pads", {0, 0, 0, 0}), more_output = list("output_padding", {0, 0}),
               size = list("output_shape", {0, 0});
    if (strides.size() != 2 || dilations.size() != 2 || pads.size() != 4 || more_output.size() != 2 || size.size() != 2)
      throw Error("only two-dimensional windows are supported");
    if (std::min({strides[0], strides[1], dilations[0], dilations[1]}) < 1)
      throw Error("strides and dilations must be at least 1");
    if (list("kernel_shape", {weight[2], weight[3]}) != std::vector{weight[2], weight[3]})
      throw Error("kernel_shape does not match the shape of the weights");
    const std::string mode = node.text("auto_pad", "NOTSET");
    for (int d : {0, 1}) {
      const std::int64_t length = d == 0 ? in.h : in.w, s = strides[d], k = weight[d + 2];
      const std::int64_t all = s * (length - 1) + more_output[d] + (k - 1) * dilations[d] + 1;  // without cropping
      std::int64_t begin = pads[d], end = pads[d + 2];
      if (mode == "SAME_UPPER" || mode == "SAME_LOWER" || size[d] > 0) {
        const std::int64_t total = all - (size[d] > 0 ? size[d] : length * s);
        begin = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
        end = total - begin;
        if (total < 0) throw Error("the requested output is larger than the computed one");
      } else if (mode == "VALID") {
        begin = end = 0;
      } else if (mode != "NOTSET") {
        throw Error("auto_pad '" + mode + "' is unknown");
      }
      place(d, length, s, k, dilations[d], begin, all - begin - end);
    }
  }

  /// Computes axis `d`: output o is pixel (o + begin) % stride of block (o + begin) / stride. Block b reads `taps`
  /// inputs, the last of which is input b.
  void place(int d, std::int64_t length, std::int64_t s, std::int64_t k, std::int64_t dilation_of, std::int64_t begin,
             std::int64_t size) {
    if (size < 1 || size > max_axis || k > max_axis) throw Error("the output size or the kernel size is out of range");
    const std::int64_t reach = (k - 1) * dilation_of / s, first = begin / s, blocks = (begin % s + size + s - 1) / s;
    kernel[d] = static_cast<int>(k), stride[d] = static_cast<int>(s), dilation[d] = static_cast<int>(dilation_of);
    out[d] = static_cast<int>(size);
    taps[d] = static_cast<int>(reach + 1);
    padding[d] = static_cast<int>(reach - first);
    more[d] = static_cast<int>(blocks - length + reach - 2 * std::int64_t{padding[d]});
    crop[d] = static_cast<int>(begin % s);
    crop_end[d] = static_cast<int>(blocks * s - crop[d] - size);
  }

  /// Tap of the node that corresponds to tap `t` of the convolution for an output pixel's phase; -1: none.
  int tap(int d, int phase, int t) const {
    const std::int64_t at = std::int64_t{taps[d] - 1 - t} * stride[d] + phase;
    return at % dilation[d] == 0 && at / dilation[d] < kernel[d] ? static_cast<int>(at / dilation[d]) : -1;
  }
};

/// Converts the node's weights [in][out / groups][kh][kw] to those of the convolution, with [out][phase] or
/// [phase][out] first.
ConvWeights turned_round(const Transposed& t, const ConvWeights& own, int ins, int outs, int groups, bool phase_first) {
  const int phases = t.stride[0] * t.stride[1], group_ins = ins / groups, group_outs = outs / groups;
  const std::int64_t taps = std::int64_t{t.taps[0]} * t.taps[1], own_taps = std::int64_t{t.kernel[0]} * t.kernel[1];
  ConvWeights all{std::vector<float>(phases * outs * group_ins * taps, 0.0f), std::vector<float>(phases * outs)};
  for (int o = 0; o < outs; ++o)
    for (int phase = 0; phase < phases; ++phase) {
      const std::int64_t row = phase_first ? std::int64_t{phase} * outs + o : std::int64_t{o} * phases + phase;
      all.bias[row] = own.bias[o];
      for (int i = 0; i < group_ins; ++i) {
        const std::int64_t in = o / group_outs * group_ins + i;
        const float* const from = own.weight.data() + (in * group_outs + o % group_outs) * own_taps;
        float* to = all.weight.data() + (row * group_ins + i) * taps;
        for (int y = 0; y < t.taps[0]; ++y)
          for (int x = 0; x < t.taps[1]; ++x, ++to) {
            const int ky = t.tap(0, phase / t.stride[1], y), kx = t.tap(1, phase % t.stride[1], x);
            if (ky >= 0 && kx >= 0) *to = from[std::int64_t{ky} * t.kernel[1] + kx];
          }
      }
    }
  return all;
}

void conv_transpose(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData& from = reader.image(node, 0);
  const OnnxTensor& weight = reader.needed_constant(node, 1);
  if (weight.dims.size() != 4) throw Error("only two-dimensional windows are supported");
  for (std::int64_t dim : weight.dims)
    if (dim < 1 || dim > max_axis) throw Error("the shape of the weights is out of range");
  const std::int64_t groups = node.integer("group", 1);
  if (groups < 1 || groups > from.shape.c || weight.dims[0] != from.shape.c || from.shape.c % groups != 0 ||
      groups * weight.dims[1] > max_axis)
    throw Error("reads " + std::to_string(from.shape.c) + " channels in " + std::to_string(groups) +
                " groups, but its weights have the shape " + to_string(weight.dims));
  const Transposed t(node, weight.dims, from.shape);
  const int outs = static_cast<int>(groups * weight.dims[1]);
  const std::int64_t phases = std::int64_t{t.stride[0]} * t.stride[1];
  if (phases * outs > max_axis) throw Error("the strides are too large to be supported");
  const bool phase_first = groups == 1;
  const Conv2d layer{.out_channels = static_cast<int>(phases * outs),
                     .kernel = t.taps,
                     .padding = t.padding,
                     .groups = static_cast<int>(groups),
                     .more_padding = t.more};
  infer_shape(layer, from.shape);  // checks the size before weights are allocated
  ConvWeights own{reader.floats(weight), std::vector<float>(outs, 0.0f)};
  if (node.has_input(2)) own.bias = reader.floats(node, 2, outs);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, layer,
                std::make_shared<const ConvWeights>(
                    turned_round(t, own, from.shape.c, outs, static_cast<int>(groups), phase_first)));
  if (phases > 1) reader.append(unit, DepthToSpace{t.stride, phase_first, t.crop, t.crop_end});
  reader.define(node, unit);
}

void depth_to_space(OnnxReader& reader, const OnnxNode& node) {
  const std::int64_t block = node.integer("blocksize", 0);
  if (block < 1 || block > max_axis) throw Error("blocksize " + std::to_string(block) + " is out of range");
  const std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw Error("mode '" + mode + "' is unknown");
  const int side = static_cast<int>(block);
  const int unit = reader.add_unit(node, reader.image(node, 0));
  reader.append(unit, DepthToSpace{.block = {side, side}, .phase_first = mode == "DCR"});
  reader.define(node, unit);
}

}  // namespace

void add_onnx_images(OnnxOperators& operators) {
  operators["ConvTranspose"] = conv_transpose;
  operators["DepthToSpace"] = depth_to_space;
  operators["Pad"] = pad;
  operators["Resize"] = resize;
  operators["Upsample"] = resize;
}

}  // namespace opsched

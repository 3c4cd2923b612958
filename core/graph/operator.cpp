#include "core/graph/operator.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace opsched {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// Output size of a window; throws Error if the window does not fit.
template <class Window>
int window(const Window& w, int d, bool ceil, const char* what, const Shape& input) {
  const std::int64_t size = d == 0 ? input.h : input.w, stride = w.stride[d], padding = w.padding[d];
  const std::int64_t kernel = std::int64_t{w.dilation[d]} * (w.kernel[d] - 1) + 1;
  const std::int64_t end_padding = padding + w.more_padding[d];
  const auto too_much = [](std::int64_t p) { return p < -max_axis || p > max_axis; };
  if (w.kernel[d] < 1 || stride < 1 || w.dilation[d] < 1 || too_much(padding) || too_much(end_padding))
    throw Error(std::string(what) + ": kernel, stride and dilation must be at least 1, padding between -" +
                std::to_string(max_axis) + " and " + std::to_string(max_axis));
  if (ceil && end_padding < 0) throw Error(std::string(what) + ": what is cut off cannot be rounded up into");
  const std::int64_t room = size + padding + end_padding - kernel;
  if (room < 0) throw Error(std::string(what) + ": the kernel is larger than the padded input " + to_string(input));
  const std::int64_t floor = room / stride + 1;
  // Every window begins in the input or in the padding in front of it.
  const bool one_more = ceil && room % stride != 0 && floor * stride < size + padding;
  return static_cast<int>(floor + one_more);
}

Shape shape_of(const Conv2d& c, const Shape& in) {
  if (c.out_channels < 1) throw Error("conv2d: needs at least one output channel");
  if (c.groups < 1 || in.c % c.groups != 0 || c.out_channels % c.groups != 0)
    throw Error("conv2d: groups (" + std::to_string(c.groups) + ") must divide the channels in (" +
                std::to_string(in.c) + ") and out (" + std::to_string(c.out_channels) + ")");
  const Shape out{c.out_channels, window(c, 0, false, "conv2d", in), window(c, 1, false, "conv2d", in)};
  check_shape(out);
  // Kernels are no larger than 2^26, so each of these products is checked before it can overflow.
  const std::int64_t window_size = std::int64_t{c.kernel[0]} * c.kernel[1], fan_in = in.c / c.groups;
  if (window_size > max_elements || window_size * fan_in > max_elements ||
      window_size * fan_in * c.out_channels > max_elements)
    throw Error("conv2d: more than " + std::to_string(max_elements) + " weights");
  if (window_size * fan_in > max_layer_macs / out.size())
    throw Error("conv2d: more than " + std::to_string(max_layer_macs) + " multiply-accumulates");
  return out;
}

Shape shape_of(const Pool2d& p, const Shape& in) {
  if (p.type == PoolType::global_avg) return {in.c, 1, 1};
  for (int d : {0, 1})
    if (std::max(p.padding[d], p.padding[d] + p.more_padding[d]) > std::int64_t{p.dilation[d]} * (p.kernel[d] - 1))
      throw Error("pool2d: padding must be smaller than the kernel");
  if (p.ceil && p.type == PoolType::avg && p.count_padding)
    throw Error("pool2d: an average that counts its padding cannot round its size up");
  return {in.c, window(p, 0, p.ceil, "pool2d", in), window(p, 1, p.ceil, "pool2d", in)};
}

Shape shape_of(const Resize2d& r, const Shape& in) {
  for (int d : {0, 1})
    if (!(r.scale[d] >= 0) || !std::isfinite(r.scale[d])) throw Error("resize2d: a scale must be at least 0");
  const Shape out{in.c, r.size[0], r.size[1]};
  check_shape(out);
  return out;
}

Shape shape_of(const DepthToSpace& d, const Shape& in) {
  const std::int64_t phases = std::int64_t{d.block[0]} * d.block[1];
  if (d.block[0] < 1 || d.block[1] < 1 || phases > in.c || in.c % phases != 0)
    throw Error("depth_to_space: blocks of " + std::to_string(d.block[0]) + "x" + std::to_string(d.block[1]) +
                " pixels must divide the channels (" + std::to_string(in.c) + ")");
  std::array<std::int64_t, 2> size{in.h, in.w};
  for (int i : {0, 1}) {
    if (d.crop[i] < 0 || d.crop_end[i] < 0) throw Error("depth_to_space: what is left out must be at least 0");
    size[i] = std::clamp<std::int64_t>(size[i] * d.block[i] - d.crop[i] - d.crop_end[i], 0, max_axis + 1);
  }
  const Shape out{static_cast<int>(in.c / phases), static_cast<int>(size[0]), static_cast<int>(size[1])};
  check_shape(out);
  return out;
}

Shape shape_of(const PixelRow& r, const Shape& in) {
  if (r.begin < 0 || r.begin + std::int64_t{in.h} * in.w > r.width)
    throw Error("pixel_row: " + std::to_string(in.h) + "x" + std::to_string(in.w) + " pixels from " +
                std::to_string(r.begin) + " on do not fit into a row of " + std::to_string(r.width));
  const Shape out{in.c, 1, r.width};
  check_shape(out);
  return out;
}

Shape shape_of(const Softmax& s, const Shape& in) {
  if (s.size < 1 || s.inner < 1 || in.c % (std::int64_t{s.size} * s.inner) != 0)
    throw Error("softmax: size (" + std::to_string(s.size) + ") times inner (" + std::to_string(s.inner) +
                ") must divide the channels (" + std::to_string(in.c) + ")");
  return in;
}

Shape shape_of(const Normalize& n, const Shape& in) {
  if (n.groups < 1 || in.c % n.groups != 0)
    throw Error("normalize: groups (" + std::to_string(n.groups) + ") must divide the channels (" +
                std::to_string(in.c) + ")");
  if (!(n.epsilon >= 0) || !std::isfinite(n.epsilon)) throw Error("normalize: epsilon must be at least 0");
  return in;
}

}  // namespace

std::string to_string(const Shape& shape) {
  return std::to_string(shape.c) + "x" + std::to_string(shape.h) + "x" + std::to_string(shape.w);
}

void check_shape(const Shape& shape) {
  for (int axis : {shape.c, shape.h, shape.w})
    if (axis < 1 || axis > max_axis)
      throw Error("shape " + to_string(shape) + ": channels, height and width must be between 1 and " +
                  std::to_string(max_axis));
  if (std::int64_t{shape.c} * shape.h > max_elements || shape.size() > max_elements)
    throw Error("shape " + to_string(shape) + ": more than " + std::to_string(max_elements) + " elements");
}

Shape infer_shape(const Layer& layer, const Shape& input) {
  check_shape(input);
  return std::visit(
      Overloaded{[&](const Activate&) { return input; }, [&](const auto& l) { return shape_of(l, input); }}, layer);
}

bool is_depthwise(const Layer& layer, const Shape& input) {
  const auto* conv = std::get_if<Conv2d>(&layer);
  return conv && conv->groups > 1 && conv->groups == input.c && conv->groups == conv->out_channels;
}

bool is_affine(const Layer& layer, const Shape& input) {
  constexpr std::array<int, 2> one{1, 1}, none{0, 0};
  if (!is_depthwise(layer, input)) return false;
  const Conv2d& conv = std::get<Conv2d>(layer);
  return conv.kernel == one && conv.stride == one && conv.padding == none && conv.more_padding == none &&
         (conv.act == Activation::none || conv.act == Activation::relu);
}

bool is_pointwise(const Layer& layer) {
  const auto* conv = std::get_if<Conv2d>(&layer);
  if (!conv || conv->groups != 1 || conv->kernel != std::array{1, 1}) return false;
  for (int d : {0, 1})
    if (conv->padding[d] > 0 || conv->padding[d] + conv->more_padding[d] > 0) return false;
  return true;
}

bool is_done_by_next(const Operator& op, std::size_t i, const Shape& input) {
  return i + 1 < op.layers.size() && is_affine(op.layers[i], input) && is_pointwise(op.layers[i + 1]);
}

bool ends_in_relu(const Layer& layer) {
  const auto* conv = std::get_if<Conv2d>(&layer);
  return layer == Layer(Activate{}) || (conv && conv->act == Activation::relu);
}

std::vector<Layer> network_layers(const Operator& op) {
  std::vector<Layer> layers = op.layers;
  if (op.ends_early) {
    if (auto* conv = std::get_if<Conv2d>(&layers.back()))
      conv->act = Activation::none;
    else
      layers.pop_back();
  }
  if (op.relieved) layers.insert(layers.begin(), Activate{});
  return layers;
}

std::string kind_name(const Operator& op) {
  if (op.is_input()) return "input";
  if (op.is_stack()) return "stack";
  if (op.is_join()) return "join";
  if (op.is_product()) return "product";
  if (op.layers.size() > 1) {
    Shape shape = op.input;
    for (const Layer& layer : op.layers) {
      if (is_depthwise(layer, shape) && std::get<Conv2d>(layer).kernel != std::array{1, 1}) return "sepconv";
      shape = infer_shape(layer, shape);
    }
    return "chain";
  }
  return std::visit(
      Overloaded{[](const Conv2d&) { return "conv2d"; }, [](const Pool2d&) { return "pool2d"; },
                 [](const Activate& a) { return activation_name(a.act.kind); },
                 [](const Resize2d&) { return "resize"; }, [](const DepthToSpace&) { return "depth_to_space"; },
                 [](const PixelRow&) { return "pixel_row"; }, [](const Softmax&) { return "softmax"; },
                 [](const Normalize&) { return "normalize"; }},
      op.layers.front());
}

std::int64_t values_read(const Operator& op) {
  std::int64_t values = 0;
  for (std::size_t t = 0; t < op.terms.size(); ++t) {
    const Shape each = op.is_product() ? op.factors[t] : Shape{op.terms[t].front().channels(), op.input.h, op.input.w};
    values += each.size() * static_cast<std::int64_t>(op.terms[t].size());
  }
  return values;
}

std::int64_t layer_macs(const Layer& layer, const Shape& input) {
  const auto* conv = std::get_if<Conv2d>(&layer);
  if (!conv) return 0;
  return infer_shape(layer, input).size() * (input.c / conv->groups) * conv->kernel[0] * conv->kernel[1];
}

std::int64_t layer_weights(const Layer& layer, const Shape& input) {
  const auto* conv = std::get_if<Conv2d>(&layer);
  if (!conv) return 0;
  return std::int64_t{conv->out_channels} * ((input.c / conv->groups) * conv->kernel[0] * conv->kernel[1] + 1);
}

}  // namespace opsched

#include "core/graph/onnx/onnx_window.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace opsched {
namespace {

constexpr std::int64_t limit = max_axis;

std::vector<std::int64_t> integers(const OnnxNode& node, const char* name, std::vector<std::int64_t> otherwise,
                                   std::int64_t least) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end() || found->second.integers.empty()) return otherwise;
  const auto& list = found->second.integers;
  if (list.size() != otherwise.size()) throw Error(std::string(name) + ": only two-dimensional windows are supported");
  for (std::int64_t n : list)
    if (n < least || n > limit)
      throw Error(std::string(name) + ": " + std::to_string(n) + " is not between " + std::to_string(least) + " and " +
                  std::to_string(limit));
  return list;
}

/// One axis of a window: padding at both ends, and the resulting size according to ONNX.
struct Axis {
  std::int64_t size, kernel, stride, begin = 0, end = 0;  ///< `kernel`: dilated extent
  bool ceil = false;

  std::int64_t output() const {
    const std::int64_t room = size + begin + end - kernel;
    if (room < 0) throw Error("the kernel is larger than the padded input");
    const std::int64_t floor = room / stride + 1;
    // A last window that would begin in the end padding does not count.
    return ceil && room % stride != 0 && floor * stride < size + begin ? floor + 1 : floor;
  }
};

void pad_automatically(Axis& axis, const std::string& mode) {
  if (mode == "VALID") return;
  const std::int64_t outputs = (axis.size + axis.stride - 1) / axis.stride;
  const std::int64_t total = std::max<std::int64_t>((outputs - 1) * axis.stride + axis.kernel - axis.size, 0);
  axis.begin = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
  axis.end = total - axis.begin;
}

std::array<Axis, 2> axes_of(const OnnxNode& node, const std::vector<std::int64_t>& kernel, const Shape& in) {
  const auto dilation = integers(node, "dilations", {1, 1}, 1);
  const auto stride = integers(node, "strides", {1, 1}, 1), pads = integers(node, "pads", {0, 0, 0, 0}, 0);
  const std::string mode = node.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    throw Error("auto_pad '" + mode + "' is unknown");
  std::array<Axis, 2> axes;
  for (int d : {0, 1}) {
    axes[d] = {.size = d == 0 ? in.h : in.w, .kernel = (kernel[d] - 1) * dilation[d] + 1, .stride = stride[d]};
    if (mode == "NOTSET") {
      axes[d].begin = pads[d];
      axes[d].end = pads[d + 2];
      axes[d].ceil = node.integer("ceil_mode", 0) != 0;
    } else {
      pad_automatically(axes[d], mode);
    }
  }
  return axes;
}

/// The padding at the beginning decides where windows start, and padding contributes nothing at both ends, so otherwise
/// only the number of outputs matters. Tries to reach it with equal padding at both ends, which all back ends support.
OnnxWindow window_of(const OnnxNode& node, const std::vector<std::int64_t>& kernel, const std::array<Axis, 2>& axes,
                     bool may_ceil) {
  const auto dilation = integers(node, "dilations", {1, 1}, 1);
  OnnxWindow window;
  for (int d : {0, 1}) {
    window.kernel[d] = static_cast<int>(kernel[d]);
    window.stride[d] = static_cast<int>(axes[d].stride);
    window.padding[d] = static_cast<int>(axes[d].begin);
    window.dilation[d] = static_cast<int>(dilation[d]);
  }
  for (bool ceil : {false, true}) {
    if (ceil && !may_ceil) break;
    window.ceil = ceil;
    if (std::ranges::all_of(axes, [&](const Axis& axis) {
          Axis alike = axis;
          alike.end = axis.begin;
          alike.ceil = ceil;
          return alike.size + 2 * alike.begin >= alike.kernel && alike.output() == axis.output();
        }))
      return window;
  }
  window.ceil = axes[0].ceil;
  for (int d : {0, 1}) window.more_padding[d] = static_cast<int>(axes[d].end - axes[d].begin);
  return window;
}

}  // namespace

OnnxNode onnx_in_two_dimensions(const OnnxNode& node) {
  OnnxNode flat = node;
  for (const auto& [name, otherwise] : {std::pair{"kernel_shape", 1}, {"strides", 1}, {"dilations", 1}, {"pads", 0}}) {
    const auto found = flat.attributes.find(name);
    if (found == flat.attributes.end() || found->second.integers.empty()) continue;
    std::vector<std::int64_t>& list = found->second.integers;
    if (list.size() == 1)
      list = {otherwise, list[0]};
    else if (list.size() == 2 && otherwise == 0)
      list = {0, list[0], 0, list[1]};
    else
      throw Error(std::string(name) + ": a one-dimensional window is needed here");
  }
  return flat;
}

OnnxWindow convolution_window(const OnnxNode& node, const std::vector<std::int64_t>& weight_dims, const Shape& in) {
  const std::vector<std::int64_t> kernel(weight_dims.begin() + 2, weight_dims.end());
  if (integers(node, "kernel_shape", kernel, 1) != kernel)
    throw Error("kernel_shape does not match the shape of the weights");
  return window_of(node, kernel, axes_of(node, kernel, in), false);
}

OnnxWindow pooling_window(const OnnxNode& node, const Shape& in, bool count_padding) {
  const auto kernel = integers(node, "kernel_shape", {0, 0}, 1);
  if (kernel[0] < 1) throw Error("kernel_shape is missing");
  if (count_padding && node.integer("ceil_mode", 0) != 0)
    throw Error("an average pool with both count_include_pad and ceil_mode is not supported");
  // Implementations disagree on how much of a window beyond the end would count.
  return window_of(node, kernel, axes_of(node, kernel, in), !count_padding);
}

}  // namespace opsched

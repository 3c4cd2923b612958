// Translates the window of an ONNX convolution or pool into our terms. Only for the importer.
#pragma once

#include <array>

#include "core/graph/onnx/onnx_model.hpp"
#include "core/graph/operator.hpp"

namespace opsched {

/// As in Conv2d and Pool2d.
struct OnnxWindow {
  std::array<int, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0}, dilation{1, 1}, more_padding{0, 0};
  bool ceil = false;
};

/// The node with one-dimensional windows converted to two dimensions, one row high.
OnnxNode onnx_in_two_dimensions(const OnnxNode& node);

/// Throws Error if we cannot represent it, for example with other than two dimensions.
OnnxWindow convolution_window(const OnnxNode& node, const std::vector<std::int64_t>& weight_dims, const Shape& in);
OnnxWindow pooling_window(const OnnxNode& node, const Shape& in, bool count_padding);

}  // namespace opsched

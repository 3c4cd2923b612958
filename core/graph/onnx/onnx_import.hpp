// ONNX models as graphs.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.hpp"

namespace opsched {

/// Reads an ONNX model with fixed image size: Conv, BatchNormalization (folded into the convolution
/// before it, else a depthwise 1x1 convolution), Relu and Tanh (fused where they can be), MaxPool,
/// AveragePool, GlobalAveragePool, Add, Sum, Concat, Gemm and Flatten (a convolution over the whole
/// image); Identity, Dropout and Constant vanish. The graph carries the model's weights. A symbolic
/// batch becomes 1. `name`: of the graph (exporters call them all alike); `folder`: where a model keeps
/// its external data.
/// Throws Error naming the node, and for an operator that is not supported those that are.
Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder);

}  // namespace opsched

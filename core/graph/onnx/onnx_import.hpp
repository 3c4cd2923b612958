// ONNX models as graphs.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.hpp"

namespace opsched {

/// Reads an ONNX model with fixed image size; docs/graph_files.md says which operators, and what becomes of them.
/// The graph computes what ONNX says of the model, and carries its weights. A symbolic batch becomes 1. `name`: of the
/// graph (exporters call them all alike); `folder`: where a model keeps its external data.
/// Throws Error naming the node that cannot be read, or all operators that are not supported.
Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder);

}  // namespace opsched

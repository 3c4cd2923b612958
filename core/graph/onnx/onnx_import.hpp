// ONNX models as graphs.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.hpp"
#include "core/graph/image_size.hpp"

namespace opsched {

/// What a model leaves open of its inputs; 0: nothing is said of it.
struct InputSize {
  int batch = 0;
  ImageSize image{};
};

/// Reads an ONNX model; docs/graph_files.md says which operators, and what becomes of them.
/// The graph computes what ONNX says of the model, and carries its weights. `size` fills a
/// symbolic batch (otherwise it becomes 1), height and width. `name`: of the
/// graph (exporters call them all alike); `folder`: where a model keeps its external data.
/// Throws Error naming the node that cannot be read, or all operators that are not supported; an input of another
/// image size than `size` says, or of none.
Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder,
                  const InputSize& size = {});

}  // namespace opsched

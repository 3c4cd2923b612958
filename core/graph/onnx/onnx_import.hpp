// ONNX models as graphs.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.hpp"
#include "core/graph/image_size.hpp"

namespace opsched {

/// Open input dimensions of a model; 0: not given.
struct InputSize {
  int batch = 0;
  ImageSize image{};
};

/// Reads an ONNX model; docs/graph_files.md lists the supported operators and how they are imported. The graph
/// computes what ONNX defines for the model, and includes its weights. `size` sets a symbolic batch (1 if not given),
/// height and width. `name`: of the graph (exporters use the same name for all models). `folder`: location of external
/// data. Throws Error naming the node that cannot be read, or all unsupported operators; and for an input whose image
/// size differs from `size` or is not given.
Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder,
                  const InputSize& size = {});

}  // namespace opsched

// Graphs as ONNX models.
#pragma once

#include <functional>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// The bytes of an ONNX model (opset 17, or 19 for dilated average pools) that computes the graph in float32, for the
/// graph's batch and image size. The output of every operator has its name, except for graph outputs that have their
/// own names (Graph::output_names). `weights`: of every convolution layer. Throws Error if the model would be too
/// large for a file (2 GiB).
std::string export_onnx(const Graph& graph, const std::function<ConvWeights(OpId, int layer)>& weights);

}  // namespace opsched

// Graphs as ONNX models.
#pragma once

#include <functional>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// The bytes of an ONNX model (version 17 of ONNX's operators, 19 where an average pool is dilated) that computes what
/// the graph does, in float32, for the graph's batch and image size. Every operator's output has its name, but for
/// those of the graph's outputs that have names of their own (Graph::output_names). `weights`: of every convolution
/// layer. Throws Error where the model would be too large for a file (2 GiB).
std::string export_onnx(const Graph& graph, const std::function<ConvWeights(OpId, int layer)>& weights);

}  // namespace opsched

// Reading and writing graphs: our own JSON, IOS's graph file, ONNX (read), DOT (write).
#pragma once

#include <string>

#include "core/graph/graph.hpp"
#include "core/graph/onnx/onnx_import.hpp"

namespace opsched {

/// Reads a graph file of any known format: our own JSON ("format": "opsched-graph"), the graph file of the public IOS
/// code, or an ONNX model (onnx_import.hpp). In JSON, operators and blocks may be in any order; they are sorted. A
/// graph file without blocks gets natural_blocks(). `size` replaces the batch and image size of the file
/// (Graph::with_batch, Graph::with_image), and sets the open dimensions of an ONNX model; an ONNX model with a fixed
/// image size keeps it. Throws Error naming the file, the operator and the problem.
Graph load_graph(const std::string& path, const InputSize& size = {});

/// The same from JSON text; `source` names it in errors.
Graph parse_graph(const std::string& text, const std::string& source);

/// Our own JSON: everything in a Graph except weights, one operator per line. Reading it gives an equal graph.
std::string graph_to_json(const Graph& graph);

/// IOS's graph file with the sequential schedule as its stages, and the parts of blocks as a key of
/// ours that IOS ignores. It holds no batch.
/// Throws Error naming the operator or block that it has no words for: more than one input, a block
/// entered or left at more than one operator, an average that does not count its padding.
std::string graph_to_ios_json(const Graph& graph);

/// Graphviz: a node per operator, a cluster per block or part.
std::string graph_to_dot(const Graph& graph);

}  // namespace opsched

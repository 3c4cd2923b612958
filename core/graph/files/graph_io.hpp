// Graphs in and out of files: our own JSON, IOS's graph file, ONNX (in), DOT (out, for pictures).
#pragma once

#include <string>

#include "core/graph/graph.hpp"
#include "core/graph/onnx/onnx_import.hpp"

namespace opsched {

/// Reads a graph file of any kind that is known here: our own JSON ("format": "opsched-graph"), the
/// graph file of IOS's public code, or an ONNX model (onnx_import.hpp). In JSON, operators and blocks
/// may stand in any order; they are sorted. A graph file without blocks gets natural_blocks().
/// `size`: batch and image instead of those of the file (Graph::with_batch, Graph::with_image), and for what an ONNX
/// model leaves open; an ONNX model that says its image size keeps it.
/// Throws Error naming the file, the operator and what is wrong.
Graph load_graph(const std::string& path, const InputSize& size = {});

/// The same from JSON text; `source` names it in errors.
Graph parse_graph(const std::string& text, const std::string& source);

/// Our own JSON: everything a Graph holds but weights, one operator a line. Reading it gives an equal graph.
std::string graph_to_json(const Graph& graph);

/// IOS's graph file with the sequential schedule as its stages, and the parts of blocks as a key of
/// ours that IOS ignores. It holds no batch.
/// Throws Error naming the operator or block that it has no words for: more than one input, a block
/// entered or left at more than one operator, an average that does not count its padding.
std::string graph_to_ios_json(const Graph& graph);

/// Graphviz: a node an operator, a cluster a block or part.
std::string graph_to_dot(const Graph& graph);

}  // namespace opsched

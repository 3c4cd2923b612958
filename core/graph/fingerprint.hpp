// Fingerprints with which files recognise the graph they were made for. Names count, because files refer to operators
// by name. A moved ReLU (early_relu.hpp) counts where the network has it, so such files serve both graphs. (Keys of
// measurements ignore names; they are in core/cost.)
#pragma once

#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// Hash of an operator's name, inputs (by name) and layers; 16 hex digits. Independent of batch and image size.
std::string operator_fingerprint(const Graph& graph, OpId op);

/// Hash of all operators, the batch and the input shapes; 16 hex digits.
std::string named_fingerprint(const Graph& graph);

}  // namespace opsched

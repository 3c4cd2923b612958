// Fingerprints by which files recognise the graph that they were made for. Names count: files refer
// to operators by name. (The keys of measurements, where names do not count, are in core/cost.)
#pragma once

#include <string>

#include "core/graph/graph.hpp"

namespace opsched {

/// Hash of an operator's name, of what it reads (by name) and of its layers; 16 hex digits. The same
/// for every batch and image size.
std::string operator_fingerprint(const Graph& graph, OpId op);

/// Hash of all operators, the batch and the shapes of the inputs; 16 hex digits.
std::string named_fingerprint(const Graph& graph);

}  // namespace opsched

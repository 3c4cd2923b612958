// Assigns operators to streams for execution without barriers.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Splits the units into paths of the graph: operators that would have to run one after another
/// anyway. Paths in the order of their first operators.
///
/// Opara (arXiv 2312.10351, section 3): an operator continues the path of the first predecessor whose
/// first reader it is; else it begins one.
std::vector<Group> opara_paths(const Graph& graph);
/// Nimble (NeurIPS 2020, section 4.2): as few paths as possible along the edges of the transitive reduction, by
/// bipartite matching, so operators that may run concurrently never share a path.
std::vector<Group> nimble_paths(const Graph& graph);
/// The same along all ancestors, not only edges: as few paths as the graph is wide.
std::vector<Group> chain_paths(const Graph& graph);

/// Joins paths until there are at most `most`, first those that do not have to wait for each other if every operator
/// starts as early as its inputs allow (solo latencies). Operators of a path are ascending by id.
std::vector<Group> join_paths(Latencies& cost, std::vector<Group> paths, int most);

}  // namespace opsched

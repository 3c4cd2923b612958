// Orders in which operators are launched; all are topological.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Among the ready operators the one with most solo latency ahead of it first.
std::vector<OpId> critical_path_order(CostModel& cost);

/// Opara (arXiv 2312.10351, section 3): among the ready operators compute- and memory-intensive ones
/// in turn, of each kind the one that needs least of the device. Compute-intensive is what does more
/// multiply-accumulates for every value moved than the median operator of the graph.
std::vector<OpId> resource_order(CostModel& cost);

}  // namespace opsched

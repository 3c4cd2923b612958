// Initial dataflow schedules for a search.
#pragma once

#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "schedulers/dataflow/plan.hpp"

namespace opsched {

struct DataflowSeed {
  std::string family;  ///< how operators were assigned to streams
  DataflowPlan plan;
};

/// Every allocation of streams (streams.hpp, and list scheduling: each operator on the stream where it starts first,
/// by solo latencies), in every launch order (critical path, least slack, longest, Opara's, topological), on 1, 2, 3,
/// 4, 6, 8, 12, 16 streams up to `most_streams`. Without duplicates.
std::vector<DataflowSeed> dataflow_seeds(Latencies& cost, int most_streams);

}  // namespace opsched

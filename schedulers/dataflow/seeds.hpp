// Dataflow schedules to begin a search with.
#pragma once

#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "schedulers/dataflow/plan.hpp"

namespace opsched {

struct DataflowSeed {
  std::string family;  ///< how operators came to their streams
  DataflowPlan plan;
};

/// Every allocation of streams (streams.hpp, and by list scheduling: each operator to the stream on which it
/// starts first, solo latencies), in every launch order (critical path, least slack, longest, Opara's,
/// topological), on 1, 2, 3, 4, 6, 8, 12, 16 streams as far as `most_streams` allows. Without repeats.
std::vector<DataflowSeed> dataflow_seeds(Latencies& cost, int most_streams);

}  // namespace opsched

// A schedule of stages, run without barriers.
#pragma once

#include "schedulers/scheduler.hpp"

namespace opsched {

/// The same stages in the same order, in dataflow mode. A group goes to the stream whose last operator it waits for
/// anyway, if there is one, which keeps the number of cross-stream and unnecessary waits low. At most `streams`
/// streams per device, unless a stage has more groups. Merges are kept.
Schedule without_barriers(const Graph& graph, const Schedule& barrier, int streams = 16);

}  // namespace opsched

// A schedule of stages, run without its barriers.
#pragma once

#include "schedulers/scheduler.hpp"

namespace opsched {

/// The same stages in the same order in dataflow mode. A group goes to the stream whose last operator
/// it waits for anyway, if there is one; so few waits cross streams and few are needless. At most
/// `streams` streams a device, unless a stage has more groups. Merges stay.
Schedule without_barriers(const Graph& graph, const Schedule& barrier, int streams = 16);

}  // namespace opsched

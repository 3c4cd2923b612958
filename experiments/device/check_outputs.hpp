// Does a schedule compute the right thing?
#pragma once

#include <cstdint>

#include "core/graph/graph.hpp"
#include "core/runtime/executor.hpp"

namespace opsched {

/// Runs once on random input and compares every output with the reference, whose weights come from the same seed.
/// Returns the largest relative error. Throws std::runtime_error where it is above `allowed` (tolerance.hpp).
double check_outputs(const Graph& graph, Executor& executor, std::uint64_t seed, double allowed);

}  // namespace opsched

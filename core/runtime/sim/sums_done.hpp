// Which sums of a schedule its convolutions do.
#pragma once

#include <span>
#include <vector>

#include "core/cost/conv_sums.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// For each operator, the convolutions that do its sums, so that it has no kernel; empty for the others. `sums`: of the
/// scheduled graph. As on a GPU (fuse_sums() and lowering_for()), but without lowering the schedule: of what happens
/// before a convolution, waits for other streams count only as far as the graph has them.
std::vector<std::vector<OpId>> sums_done(const Graph& graph, std::span<const ConvSum> sums, const Schedule& schedule,
                                         std::span<const Slot> slots);

}  // namespace opsched

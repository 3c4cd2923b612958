// Sums of two tensors that the convolution before them can do.
#pragma once

#include <span>
#include <vector>

#include "core/runtime/program/order.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Gather steps that add two tensors become part of convolutions: one that writes channels of a summand, which nothing
/// else reads, adds the other tensor to them as its residual, and writes the sum. It must follow all that writes the
/// residual already, by `order`, which is that of the program; or it writes at least `waits_from` elements, and only
/// comes later in the list of steps. So no smaller step has to follow more than it did. What remains of a gather step,
/// if anything, is one step.
///
/// `after`: as for set_waits(), which has to be called again if this returns true. What followed a removed step then
/// follows its convolutions. `kept`: views that are read where the program does not show it, besides its outputs.
bool fuse_sums(Program& program, std::vector<std::vector<int>>& after, const Order& order, std::span<const View> kept,
               std::int64_t waits_from);

}  // namespace opsched

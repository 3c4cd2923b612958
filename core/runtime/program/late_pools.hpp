// Averages behind the pointwise convolutions that read them.
#pragma once

#include <span>

#include "core/runtime/program/program.hpp"

namespace opsched {

/// An average and a pointwise convolution can change places, because both are linear. Where a convolution reads an
/// average of stride 1 that nothing else reads, and writes fewer channels, the convolution comes first, so that the
/// average reads and writes fewer. Bias and ReLU stay last: the average adds them, because it may count padding, which
/// has no bias.
///
/// Steps keep their places, operators and streams. Returns whether any changed; then set_waits() has to be called
/// again. `kept`: views that are read where the program does not show it, besides its outputs.
bool move_pools_late(Program& program, const LoweringOptions& options, std::span<const View> kept);

}  // namespace opsched

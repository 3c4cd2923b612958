// The weights of a step, for one convolution or several merged ones.
#pragma once

#include "core/runtime/program/program.hpp"

namespace opsched {

/// Weights of a conv, depthwise or pool step: those of its operators in sequence along the output channels, with
/// smaller kernels zero-padded on all sides (IOS, section 3). Padding channels of the step's input and output get
/// zeros. Includes the affine layer, if there is one. The bias is zero if the step does not add it. For a pool with
/// weights: only their bias.
ConvWeights merged_weights(const Graph& graph, const Step& step, std::uint64_t seed);

}  // namespace opsched

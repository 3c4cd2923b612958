// The weights of a step, whether of one convolution or of several merged ones.
#pragma once

#include "core/runtime/program/program.hpp"

namespace opsched {

/// Weights of a conv or depthwise step: those of its operators one after another along the output
/// channels, smaller kernels padded with zeros all around (IOS, section 3). The step's padding in channels, of its
/// input and output, gets zeros. With those of its affine layer, if it has one.
ConvWeights merged_weights(const Graph& graph, const Step& step, std::uint64_t seed);

}  // namespace opsched

// Weights of convolutions, and those that came with an imported graph.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace opsched {

/// Weights of a convolution layer: [out][in / groups][kh][kw], and bias [out]. Where a kernel does an affine layer as
/// it reads, that layer's factors and biases, [in]; else none.
struct ConvWeights {
  std::vector<float> weight, bias;
  std::vector<float> input_factor{}, input_bias{};
};

/// By operator (OpId) and layer. Layers may share their weights; none is null.
using WeightTable = std::map<std::pair<int, int>, std::shared_ptr<const ConvWeights>>;

}  // namespace opsched

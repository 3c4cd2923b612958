// Weights that came with an imported graph.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace opsched {

/// Weights of a convolution layer: [out][in / groups][kh][kw], and bias [out].
struct ConvWeights {
  std::vector<float> weight, bias;
};

/// By operator (OpId) and layer. Layers may share their weights; none is null.
using WeightTable = std::map<std::pair<int, int>, std::shared_ptr<const ConvWeights>>;

}  // namespace opsched

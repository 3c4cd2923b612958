// Weights of convolutions, including those of imported graphs.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace opsched {

/// Weights of a convolution layer: [out][in / groups][kh][kw], and bias [out]. If a kernel applies an affine layer as
/// it reads, also that layer's factors and biases, [in].
struct ConvWeights {
  std::vector<float> weight, bias;
  std::vector<float> input_factor{}, input_bias{};
};

/// By operator (OpId) and layer. Layers may share weights; none is null.
using WeightTable = std::map<std::pair<int, int>, std::shared_ptr<const ConvWeights>>;

}  // namespace opsched

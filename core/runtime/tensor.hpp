// Host tensors, and the seeded weights and inputs shared by all back ends.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// fp32, NCHW, dense.
struct Tensor {
  int n = 0;
  Shape shape;
  std::vector<float> data;
};

/// ||a - b|| / ||b||; infinite if a has a NaN or shapes differ.
double relative_error(const Tensor& a, const Tensor& b);

/// Bell-shaped values with mean 0 and variance 1, each a function of seed and position alone (see
/// random.hpp): the same on every machine.
Tensor random_tensor(int n, Shape shape, std::uint64_t seed);

/// Weights of layer `layer` of `op`: from the graph if it has them, otherwise drawn from `seed` and the position in
/// the graph, scaled so that activations keep a variance near 1 (fp16 would overflow otherwise).
ConvWeights make_weights(const Graph& graph, OpId op, int layer, std::uint64_t seed);

}  // namespace opsched

// Random inputs of a graph.
#pragma once

#include <cstdint>
#include <vector>

#include "core/runtime/tensor.hpp"

namespace opsched::test {

/// Each input has its own seed, from `seed` on.
inline std::vector<Tensor> random_inputs(const Graph& graph, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (OpId op : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(op).output, seed++));
  return inputs;
}

}  // namespace opsched::test

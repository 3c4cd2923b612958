#include "experiments/device/check_outputs.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/runtime/cpu/cpu_executor.hpp"

namespace opsched {

double check_outputs(const Graph& graph, Executor& executor, std::uint64_t seed, double allowed) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs())
    inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, seed + inputs.size()));
  const std::vector<Tensor> outputs = executor.run(inputs);
  const std::vector<Tensor> expected = reference_outputs(graph, inputs, seed);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, relative_error(outputs[i], expected[i]));
  if (!(worst <= allowed))
    throw std::runtime_error("the output is wrong: its relative error is " + std::to_string(worst) +
                             ", rounding explains " + std::to_string(allowed));
  return worst;
}

}  // namespace opsched

#include "core/runtime/program/concurrency.hpp"

namespace opsched {

void mark_concurrent(Program& program, const Order& order) {
  const int steps = static_cast<int>(program.steps.size());
  std::vector<boost::dynamic_bitset<>> kernels(program.arena_bytes.size(),
                                               boost::dynamic_bitset<>(steps));  // by device
  for (int i = 0; i < steps; ++i)
    if (const Step& step = program.steps[i]; !moves_only(step.kind)) kernels[step.device].set(i);
  std::vector<std::size_t> ordered(steps, 0);  // kernels of the same device that end before a step begins, or follow it
  for (int i = 0; i < steps; ++i) {
    if (moves_only(program.steps[i].kind)) continue;
    boost::dynamic_bitset<> earlier = order.ancestors(i);
    earlier.resize(steps);
    earlier &= kernels[program.steps[i].device];
    ordered[i] += earlier.count();
    for (std::size_t a = earlier.find_first(); a != earlier.npos; a = earlier.find_next(a)) ++ordered[a];
  }
  for (int i = 0; i < steps; ++i)
    if (Step& step = program.steps[i]; !moves_only(step.kind))
      step.concurrent = ordered[i] + 1 < kernels[step.device].count();
}

}  // namespace opsched

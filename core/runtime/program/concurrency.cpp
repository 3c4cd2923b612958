#include "core/runtime/program/concurrency.hpp"

#include <algorithm>

namespace opsched {
namespace {

/// For each step, the length in steps of the longest chain that it is part of.
std::vector<int> longest_chains(const Program& program) {
  const int steps = static_cast<int>(program.steps.size());
  const std::vector<std::vector<int>> before = direct_predecessors(program);
  std::vector<int> head(steps, 1), tail(steps, 1);  // up to the step and from it on, itself included
  for (int i = 0; i < steps; ++i)
    for (int b : before[i]) head[i] = std::max(head[i], head[b] + 1);
  for (int i = steps - 1; i >= 0; --i)
    for (int b : before[i]) tail[b] = std::max(tail[b], tail[i] + 1);
  for (int i = 0; i < steps; ++i) head[i] += tail[i] - 1;
  return head;
}

}  // namespace

void mark_concurrent(Program& program, const Order& order, const LoweringOptions& options) {
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
  const std::vector<int> chains = longest_chains(program);
  const int longest = chains.empty() ? 0 : *std::ranges::max_element(chains);
  for (int i = 0; i < steps; ++i) {
    Step& step = program.steps[i];
    if (moves_only(step.kind)) continue;
    const bool others = ordered[i] + 1 < kernels[step.device].count();
    const bool shares = options.longest_chain == LongestChain::shares || chains[i] < longest;
    step.concurrent = others && shares && elements_written(program, step) < options.fills_from;
  }
}

}  // namespace opsched

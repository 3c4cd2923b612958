#include "core/graph/blocks.hpp"

#include <algorithm>
#include <utility>

namespace opsched {

std::vector<Block> natural_blocks(const Graph& graph) {
  std::vector<Block> blocks;
  const auto add = [&](std::vector<OpId>& ops) {
    if (ops.empty()) return;
    blocks.push_back({"block" + std::to_string(blocks.size() + 1), std::exchange(ops, {}), {}});
  };
  std::vector<OpId> chain, region;
  OpId last_reader = -1;  // of anything before the current operator
  for (OpId id = 0; id < graph.size(); ++id) {
    const bool unit = !graph.op(id).is_input();
    if (unit) region.push_back(id);
    if (unit && last_reader <= id) {
      if (region.size() == 1) {
        chain.push_back(region.front());
        region.clear();
      } else {
        add(chain);
        add(region);
      }
    }
    if (!graph.succs(id).empty()) last_reader = std::max(last_reader, graph.succs(id).back());
  }
  add(chain);
  add(region);
  return blocks;
}

}  // namespace opsched

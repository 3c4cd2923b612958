#include "core/cost/transfer.hpp"

#include <vector>

namespace opsched {

std::int64_t transfer_bytes(const Graph& graph, OpId producer, OpId consumer, Precision precision) {
  const Operator& reader = graph.op(consumer);
  const Shape& whole = graph.op(graph.holder(producer)).output;
  std::vector<bool> read(static_cast<std::size_t>(whole.c), false);
  Region region;
  for (const Term& term : reader.terms)
    for (const Value& value : term)
      if (value.op == graph.holder(producer)) {
        for (int c = value.begin; c < value.end; ++c) read[c] = true;
        const Region these = common(graph.written(producer), graph.read(reader, value));
        region = region.empty() ? these : hull(region, these);
      }
  std::int64_t channels = 0;
  for (bool r : read) channels += r ? 1 : 0;
  return channels * region.rows.size() * whole.w * region.images.size() * element_bytes(precision);
}

}  // namespace opsched

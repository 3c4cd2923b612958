#include "core/cost/transfer.hpp"

#include <vector>

namespace opsched {

std::int64_t transfer_bytes(const Graph& graph, OpId producer, OpId consumer, Precision precision) {
  const Operator &from = graph.op(producer), &reader = graph.op(consumer);
  const Shape& whole = graph.op(graph.holder(producer)).output;
  const Rows written = from.is_strip() ? from.rows : Rows{0, whole.h};
  std::vector<bool> read(static_cast<std::size_t>(whole.c), false);
  Rows rows;
  for (const Term& term : reader.terms)
    for (const Value& value : term)
      if (value.op == graph.holder(producer)) {
        for (int c = value.begin; c < value.end; ++c) read[c] = true;
        const Rows these = common(written, graph.rows_read(reader, value));
        rows = rows.empty() ? these : hull(rows, these);
      }
  std::int64_t channels = 0;
  for (bool r : read) channels += r ? 1 : 0;
  return channels * rows.size() * whole.w * graph.batch() * element_bytes(precision);
}

}  // namespace opsched

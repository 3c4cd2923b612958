#include "core/cost/transfer.hpp"

#include <vector>

namespace opsched {

std::int64_t transfer_bytes(const Graph& graph, OpId producer, OpId consumer, Precision precision) {
  const Shape& shape = graph.op(producer).output;
  std::vector<bool> read(static_cast<std::size_t>(shape.c), false);
  for (const Term& term : graph.op(consumer).terms)
    for (const Value& value : term)
      if (value.op == producer)
        for (int c = value.begin; c < value.end; ++c) read[c] = true;
  std::int64_t channels = 0;
  for (bool r : read) channels += r ? 1 : 0;
  return channels * shape.h * shape.w * graph.batch() * (precision == Precision::fp16 ? 2 : 4);
}

}  // namespace opsched

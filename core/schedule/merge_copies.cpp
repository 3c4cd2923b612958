#include "core/schedule/merge_copies.hpp"

#include <algorithm>
#include <tuple>

namespace opsched {

std::vector<JoinSlot> join_slots(const Graph& graph) {
  std::vector<JoinSlot> slots(graph.size());
  for (OpId reader = 0; reader < graph.size(); ++reader) {
    const std::vector<Term>& terms = graph.op(reader).terms;
    if (terms.size() < 2 || graph.op(reader).is_product() || graph.op(reader).is_strip()) continue;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const Value& v = terms[t].front();
      if (terms[t].size() == 1 && v.begin == 0 && v.channels() == graph.op(v.op).output.c && slots[v.op].reader < 0 &&
          graph.op(v.op).is_unit())
        slots[v.op] = {reader, static_cast<int>(t)};
    }
  }
  return slots;
}

std::vector<OpId> copied_outputs(std::span<const JoinSlot> slots, std::span<const OpId> merged) {
  std::vector<OpId> ops(merged.begin(), merged.end());
  std::ranges::sort(ops, {}, [&](OpId op) { return std::tuple(slots[op].reader, slots[op].term); });
  bool side_by_side = slots[ops.front()].reader >= 0;
  for (std::size_t i = 1; i < ops.size(); ++i)
    side_by_side = side_by_side && slots[ops[i]].reader == slots[ops[0]].reader &&
                   slots[ops[i]].term == slots[ops[0]].term + static_cast<int>(i);
  if (side_by_side || ops.size() == 1) return {};
  std::erase_if(ops, [&](OpId op) { return slots[op].reader < 0; });
  return ops;
}

std::vector<OpId> readers_of_part(const Graph& graph, std::span<const JoinSlot> slots, OpId op) {
  std::vector<OpId> readers;
  for (OpId reader : graph.succs(op))
    if (reader != slots[op].reader) readers.push_back(reader);
  std::ranges::sort(readers);
  readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
  return readers;
}

}  // namespace opsched

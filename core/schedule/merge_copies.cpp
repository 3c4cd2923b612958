#include "core/schedule/merge_copies.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace opsched {
namespace {

/// Does an operator read pixels that lie further apart as fast as dense ones? Pointwise convolutions do, as products
/// with any leading dimension. Some of the fastest kernels for larger windows need dense pixels.
bool reads_any_stride(const Operator& op) {
  const auto layer =
      std::ranges::find_if(op.layers, [](const Layer& l) { return !std::holds_alternative<Activate>(l); });
  if (layer == op.layers.end()) return true;
  const auto* conv = std::get_if<Conv2d>(&*layer);
  return conv ? is_pointwise(*conv) && conv->stride == std::array{1, 1} : std::holds_alternative<Pool2d>(*layer);
}

/// Can this concatenation be a slice of a wider buffer? Not if it may be part of another one itself.
bool can_be_slice(const Graph& graph, OpId join) {
  return graph.op(join).is_join() && graph.op(join).output.c % kSliceChannels == 0 &&
         std::ranges::all_of(graph.succs(join), [&](OpId reader) {
           return graph.op(reader).terms.size() == 1 && reads_any_stride(graph.op(reader));
         });
}

bool side_by_side(std::span<const JoinSlot> slots, std::span<const OpId> ops) {
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (slots[ops[i]].reader != slots[ops[0]].reader || slots[ops[i]].term != slots[ops[0]].term + static_cast<int>(i))
      return false;
  return true;
}

}  // namespace

std::vector<JoinSlot> join_slots(const Graph& graph) {
  std::vector<JoinSlot> slots(graph.size());
  for (OpId op = 0; op < graph.size(); ++op) slots[op].aligned = graph.op(op).output.c % kSliceChannels == 0;
  for (OpId reader = 0; reader < graph.size(); ++reader) {
    const std::vector<Term>& terms = graph.op(reader).terms;
    if (terms.size() < 2 || graph.op(reader).is_product() || graph.op(reader).is_strip()) continue;
    const bool can_grow = can_be_slice(graph, reader);
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const Value& v = terms[t].front();
      JoinSlot& slot = slots[v.op];
      if (terms[t].size() > 1 || v.begin != 0 || v.channels() != graph.op(v.op).output.c || slot.reader >= 0 ||
          !graph.op(v.op).is_unit())
        continue;
      slot.reader = reader, slot.term = static_cast<int>(t);
      slot.begins = can_grow && t == 0, slot.ends = can_grow && t + 1 == terms.size();
    }
  }
  return slots;
}

MergedPlace merged_place(std::span<const JoinSlot> slots, std::span<const OpId> merged) {
  using Kind = MergedPlace::Kind;
  std::vector<OpId> ops;
  std::ranges::copy_if(merged, std::back_inserter(ops), [&](OpId op) { return slots[op].reader >= 0; });
  if (ops.empty()) return {};
  std::ranges::sort(ops, {}, [&](OpId op) { return std::tuple(slots[op].reader, slots[op].term); });
  const bool together = side_by_side(slots, ops);
  const bool aligned = std::ranges::all_of(merged, [&](OpId op) { return slots[op].aligned; });
  Kind kind = Kind::copied;
  if (together && ops.size() == merged.size())
    kind = Kind::inside;
  else if (together && aligned && slots[ops.front()].begins)
    kind = Kind::before_begin;
  else if (together && aligned && slots[ops.back()].ends)
    kind = Kind::behind_end;
  return {kind, std::move(ops)};
}

std::vector<OpId> copied_outputs(std::span<const JoinSlot> slots, std::span<const OpId> merged) {
  MergedPlace place = merged_place(slots, merged);
  return place.kind == MergedPlace::Kind::copied ? std::move(place.with_slot) : std::vector<OpId>{};
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

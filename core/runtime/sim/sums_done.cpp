#include "core/runtime/sim/sums_done.hpp"

#include <algorithm>

#include "core/runtime/program/gpu_lowering.hpp"

namespace opsched {
namespace {

class Sums {
 public:
  Sums(const Graph& graph, const Schedule& schedule, std::span<const Slot> slots)
      : graph_(graph), schedule_(schedule), slots_(slots), large_from_(lowering_for(Precision::fp32).fills_from) {}

  /// The convolutions that do a sum; empty if none do.
  std::vector<OpId> done_by(const ConvSum& sum) const {
    std::vector<OpId> convs;
    for (const std::vector<ConvSum::Way>& ways : sum.terms) {
      const auto way = std::ranges::find_if(ways, [&](const ConvSum::Way& w) { return is_possible(sum.op, w); });
      if (way == ways.end()) return {};
      convs.insert(convs.end(), way->convs.begin(), way->convs.end());
    }
    return convs;
  }

 private:
  bool is_possible(OpId op, const ConvSum::Way& way) const {
    return std::ranges::all_of(way.convs, [&](OpId conv) {
      return slots_[conv].device == slots_[op].device && !stage_of(conv).is_merge() &&
             (is_large(conv) || std::ranges::all_of(way.residuals, [&](const auto& r) { return follows(conv, r); }));
    });
  }

  const Stage& stage_of(OpId op) const { return schedule_.devices[slots_[op].device].stages[slots_[op].stage]; }

  /// A large convolution may wait for a residual.
  bool is_large(OpId conv) const { return graph_.op(conv).output.size() * graph_.images(conv) >= large_from_; }

  /// Does it start after the residual, or after something on its stream (or in an earlier stage) that needs it?
  bool follows(OpId conv, const ConvSum::Residual& residual) const {
    if (residual.from.test(conv)) return true;
    const Slot& slot = slots_[conv];
    const auto needs = [&](OpId op) { return residual.from.test(op); };
    const std::vector<Stage>& stages = schedule_.devices[slot.device].stages;
    for (int s = 0; s < slot.stage; ++s)
      for (int g = 0; g < static_cast<int>(stages[s].groups.size()); ++g)
        if ((schedule_.mode == Mode::barrier || g == slot.group) && std::ranges::any_of(stages[s].groups[g], needs))
          return true;
    const Group& group = stages[slot.stage].groups[slot.group];
    return std::any_of(group.begin(), group.begin() + slot.position, needs);
  }

  const Graph& graph_;
  const Schedule& schedule_;
  std::span<const Slot> slots_;
  std::int64_t large_from_;  ///< elements
};

}  // namespace

std::vector<std::vector<OpId>> sums_done(const Graph& graph, std::span<const ConvSum> sums, const Schedule& schedule,
                                         std::span<const Slot> slots) {
  std::vector<std::vector<OpId>> done(graph.size());
  const Sums decide(graph, schedule, slots);
  for (const ConvSum& sum : sums) done[sum.op] = decide.done_by(sum);
  return done;
}

}  // namespace opsched

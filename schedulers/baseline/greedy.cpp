// Extends a stage by the ready operator with the largest gain, as long as the cost model says that running it in the
// stage is faster than running it alone afterwards.
#include <algorithm>

#include "core/cost/bounds.hpp"
#include "core/graph/ready_list.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

Stage with(Stage stage, OpId op) {
  stage.groups.push_back({op});
  return stage;
}

/// Extends a stage from `first` with operators from `candidates`. Estimates order the candidates, so that a measuring
/// model is only asked about promising ones; stage_ms decides.
Stage grow(Latencies& cost, OpId first, std::vector<OpId> candidates, std::size_t most) {
  Stage stage{.strategy = Strategy::concurrent, .groups = {{first}}};
  double stage_ms = cost.operator_ms(first);
  std::erase(candidates, first);
  while (stage.groups.size() < most && !candidates.empty()) {
    std::vector<double> gains(candidates.size());
    std::ranges::transform(candidates, gains.begin(), [&](OpId op) {
      return stage_ms + cost.operator_ms(op) - cost.estimate_stage_ms(with(stage, op));
    });
    const auto best = std::ranges::max_element(gains);
    if (*best <= 0) break;
    const auto candidate = candidates.begin() + (best - gains.begin());
    Stage grown = with(stage, *candidate);
    const double grown_ms = cost.stage_ms(grown);
    if (grown_ms < stage_ms + cost.operator_ms(*candidate)) {
      stage = std::move(grown);
      stage_ms = grown_ms;
    }
    candidates.erase(candidate);
  }
  return stage;
}

Schedule make_greedy(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const std::size_t most = options.limit("groups", 16, 1);
  Latencies& cost = request.cost;
  const std::vector<double> remaining = remaining_ms(cost);
  Schedule schedule;
  schedule.devices.resize(1);
  ReadyList ready(cost.graph());
  while (!ready.empty()) {
    // The operator with the longest remaining path must not wait.
    const OpId first = *std::ranges::max_element(ready.ready(), {}, [&](OpId op) { return remaining[op]; });
    Stage stage = grow(cost, first, ready.ready(), most);
    std::vector<OpId> done;
    for (const Group& group : stage.groups) done.push_back(group.front());
    schedule.devices[0].stages.push_back(std::move(stage));
    ready.finish(done);
    if (request.progress) request.progress("greedy: " + std::to_string(stage_count(schedule)) + " stages");
  }
  return schedule;
}

}  // namespace

SchedulerInfo greedy_scheduler() {
  return {.name = "greedy",
          .summary = "extends a stage by the ready operator with the largest gain, as long as there is a gain",
          .max_devices = 1,
          .options = {{"groups", "maximum number of operators in a stage, or 'unlimited' (default 16)"}},
          .make = make_greedy};
}

}  // namespace opsched

#include "schedulers/split/rows_option.hpp"

#include "core/runtime/sim/simulate.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/options.hpp"
#include "schedulers/split/spread.hpp"

namespace opsched {
namespace {

Schedule make_with_rows(const SchedulerInfo& plain, SchedulerRequest request) {
  const bool rows = OptionReader(request.options).choice("split", "none", {"none", "rows"}) == "rows";
  request.options.erase("split");
  Schedule whole = plain.make(request);
  if (!rows || request.devices == 1) return whole;
  const Graph& graph = request.cost.graph();
  const Graph split = graph.with_splits(row_splits(graph, std::vector<bool>(graph.size(), true), request.devices));
  if (split.splits().empty()) return whole;
  const std::unique_ptr<CostModel> cost = request.cost.of(split);
  Schedule strips = plain.make({.cost = *cost,
                                .devices = request.devices,
                                .options = request.options,
                                .progress = request.progress,
                                .note = request.note});
  strips.splits = split.splits();
  const double whole_ms = simulate(request.cost, whole).timeline.makespan;
  const double strips_ms = simulate(*cost, strips).timeline.makespan;
  return fastest(request.cost, {{std::move(whole), whole_ms}, {std::move(strips), strips_ms}});
}

}  // namespace

SchedulerInfo with_rows_option(SchedulerInfo info) {
  SchedulerInfo more = info;
  more.options["split"] = "rows: operators become strips of rows, one a device, where that is faster (default none)";
  more.make = [plain = std::move(info)](const SchedulerRequest& request) { return make_with_rows(plain, request); };
  return more;
}

}  // namespace opsched

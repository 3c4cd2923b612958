#include "schedulers/split/split_option.hpp"

#include "core/runtime/sim/simulate.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/options.hpp"
#include "schedulers/split/spread.hpp"

namespace opsched {
namespace {

Schedule make_with_splits(const SchedulerInfo& plain, SchedulerRequest request) {
  const std::string along = OptionReader(request.options).choice("split", "none", {"none", "rows", "images"});
  request.options.erase("split");
  Schedule whole = plain.make(request);
  if (along == "none" || request.devices == 1) return whole;
  const Graph& graph = request.cost.graph();
  const Graph split =
      graph.with_splits(even_splits(graph, request.devices, along == "images" ? Along::images : Along::rows));
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

SchedulerInfo with_split_option(SchedulerInfo info) {
  SchedulerInfo more = info;
  more.options["split"] =
      "rows or images: split operators into such strips, one per device, if that is faster (default none)";
  more.make = [plain = std::move(info)](const SchedulerRequest& request) { return make_with_splits(plain, request); };
  return more;
}

}  // namespace opsched

#include "core/cost/cost_model.hpp"

#include "core/error.hpp"

namespace opsched {

const Topology& Latencies::topology() const {
  static const Topology one_host;
  return one_host;
}

std::unique_ptr<CostModel> CostModel::of(const Graph&) {
  throw Error("the costs of graph '" + graph().name() + "' do not include operators split into strips");
}

ScheduledCosts::ScheduledCosts(CostModel& whole, const Schedule& schedule)
    : graph_(scheduled_graph(whole.graph(), schedule)), costs_(&whole) {
  if (graph_.get() == &whole.graph()) return;
  own_ = whole.of(*graph_);
  costs_ = own_.get();
}

}  // namespace opsched

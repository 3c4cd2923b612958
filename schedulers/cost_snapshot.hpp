// A copy of operator costs, for searches that simulate thousands of schedules.
#pragma once

#include <map>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Operators, utilisations and the contention law of another model at this moment; stages (of merges) are looked up
/// when first needed. For one device.
class CostSnapshot final : public Latencies {
 public:
  explicit CostSnapshot(CostModel& cost) : cost_(cost), ms_(cost.graph().size()), utilisation_(ms_.size()) {
    std::vector<Stage> alone;
    for (OpId op : graph().units()) alone.push_back({.strategy = Strategy::concurrent, .groups = {{op}}});
    cost.prefetch(alone);
    for (OpId op : graph().units()) {
      ms_[op] = cost.operator_ms(op);
      utilisation_[op] = cost.utilisation(op);
    }
    law_ = cost.contention_law();
  }

  const Graph& graph() const override { return cost_.graph(); }
  double operator_ms(OpId op) override { return ms_[op]; }
  double utilisation(OpId op) override { return utilisation_[op]; }
  double stage_ms(const Stage& stage) override {
    const auto [it, fresh] = stages_.try_emplace({stage.strategy, stage.groups}, 0.0);
    if (fresh) it->second = cost_.stage_ms(stage);
    return it->second;
  }
  double transfer_ms(OpId, OpId, int, int) override { return 0; }
  std::span<const ConvSum> conv_sums() const override { return cost_.conv_sums(); }
  const ContentionLaw& contention_law() const { return law_; }

 private:
  CostModel& cost_;
  std::vector<double> ms_, utilisation_;
  ContentionLaw law_;
  std::map<std::pair<Strategy, std::vector<Group>>, double> stages_;
};

}  // namespace opsched

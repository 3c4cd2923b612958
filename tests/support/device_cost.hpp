// TrueDevice behind the interface of a cost model that measures into a profile and estimates by the
// contention model fitted to it, as the CUDA runtime's does.
#pragma once

#include <optional>

#include "core/cost/profile/recorded.hpp"
#include "core/schedule/schedule_text.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {

class DeviceCost : public CostModel {
 public:
  DeviceCost(const Graph& graph, Profile& profile, std::uint64_t seed)
      : graph_(graph), profile_(profile), signer_(graph), device_(seed) {}

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::measured; }
  bool structural() const override { return true; }
  double operator_ms(OpId op) override { return stage_ms({.strategy = Strategy::concurrent, .groups = {{op}}}); }
  double utilisation(OpId op) override { return estimator().utilisation(op); }
  double transfer_ms(OpId, OpId, int, int) override { return 0; }

  bool stage_known(const Stage& stage) override { return profile_.find_stage(signer_.stage(stage)) != nullptr; }
  bool kind_known(std::uint64_t kind) override { return profile_.holds_kind(kind); }
  double stage_ms(const Stage& stage) override {
    const std::string key = signer_.stage(stage);
    if (!profile_.find_stage(key)) profile_.record_stage(key, device_.stage(graph_, stage));
    return profile_.find_stage(key)->ms;
  }
  std::optional<double> schedule_ms(const Schedule& schedule) override {
    const std::string graph = fingerprint(graph_), key = fingerprint(schedule);
    if (!profile_.find_schedule(graph, key))
      profile_.record_schedule(
          graph, key, {.record = device_.schedule(graph_, schedule), .label = "", .schedule = to_text(schedule)});
    return profile_.find_schedule(graph, key)->record.ms;
  }
  double estimate_stage_ms(const Stage& stage) override { return estimator().estimate_stage_ms(stage); }
  double stage_lower_bound_ms(const Stage& stage) override { return estimator().stage_lower_bound_ms(stage); }

 private:
  RecordedCost& estimator() {
    if (!estimator_)
      for (OpId op : graph_.units()) operator_ms(op);
    if (!estimator_ || 2 * profile_.stages().size() > 3 * fitted_) {
      estimator_.reset();
      model_.emplace(ContentionModel::fit(profile_));
      estimator_.emplace(graph_, profile_, *model_);
      fitted_ = profile_.stages().size();
    }
    return *estimator_;
  }

  const Graph& graph_;
  Profile& profile_;
  StageSigner signer_;
  TrueDevice device_;
  std::optional<ContentionModel> model_;
  std::optional<RecordedCost> estimator_;
  std::size_t fitted_ = 0;
};

}  // namespace opsched::test

#include "core/runtime/cuda/measured_cost.hpp"

#include "core/cost/signature.hpp"
#include "core/runtime/cuda/stage_timer.hpp"

namespace opsched {
namespace {

class MeasuredCost final : public CostModel {
 public:
  MeasuredCost(const Graph& graph, Profile& profile, DeviceContext& device, Precision precision)
      : graph_(graph), profile_(profile), signer_(graph), timer_(graph, device, precision) {}

  const Graph& graph() const override { return graph_; }
  Source source() const override { return Source::measured; }

  double operator_ms(OpId op) override { return stage_ms({.strategy = Strategy::concurrent, .groups = {{op}}}); }

  double stage_ms(const Stage& stage) override {
    const std::string key = signer_.stage(stage);
    if (const Record* known = profile_.find_stage(key)) return known->ms;
    profile_.record_stage(key, timer_.time(stage));
    return profile_.find_stage(key)->ms;
  }

 private:
  const Graph& graph_;
  Profile& profile_;
  StageSigner signer_;
  StageTimer timer_;
};

}  // namespace

std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, DeviceContext& device,
                                              Precision precision) {
  return std::make_unique<MeasuredCost>(graph, profile, device, precision);
}

}  // namespace opsched

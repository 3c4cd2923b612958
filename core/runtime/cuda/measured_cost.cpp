#include "core/runtime/cuda/measured_cost.hpp"

#include <algorithm>

#include "core/cost/signature.hpp"
#include "core/cost/transfer.hpp"
#include "core/runtime/cuda/peak_rate.hpp"
#include "core/runtime/cuda/stage_timer.hpp"

namespace opsched {
namespace {

class MeasuredCost final : public CostModel {
 public:
  MeasuredCost(const Graph& graph, Profile& profile, DeviceContext& device, Precision precision)
      : graph_(graph),
        profile_(profile),
        precision_(precision),
        macs_per_ms_(peak_macs_per_ms(device.gpu(), precision)),
        signer_(graph),
        timer_(graph, device, precision) {}

  const Graph& graph() const override { return graph_; }
  Source source() const override { return Source::measured; }

  bool stage_known(const Stage& stage) override { return profile_.find_stage(signer_.stage(stage)) != nullptr; }

  /// The part of the device's arithmetic that the operator would need to be as fast as it is.
  double utilisation(OpId op) override {
    const double floor = static_cast<double>(graph_.macs(op)) * graph_.batch() / macs_per_ms_;
    return std::clamp(floor / operator_ms(op), 1e-6, 1.0);
  }

  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return from == to ? 0 : profile_.transfer_ms(from, to, transfer_bytes(graph_, producer, consumer, precision_));
  }

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
  Precision precision_;
  double macs_per_ms_;
  StageSigner signer_;
  StageTimer timer_;
};

}  // namespace

std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, DeviceContext& device,
                                              Precision precision) {
  return std::make_unique<MeasuredCost>(graph, profile, device, precision);
}

}  // namespace opsched

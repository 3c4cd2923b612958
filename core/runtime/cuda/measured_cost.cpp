#include "core/runtime/cuda/measured_cost.hpp"

#include <algorithm>
#include <optional>

#include "core/cost/recorded.hpp"
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

  double operator_ms(OpId op) override { return stage_ms({.strategy = Strategy::concurrent, .groups = {{op}}}); }

  double stage_ms(const Stage& stage) override {
    const std::string key = signer_.stage(stage);
    if (const Record* known = profile_.find_stage(key)) return known->ms;
    profile_.record_stage(key, timer_.time(stage));
    return profile_.find_stage(key)->ms;
  }
  bool stage_known(const Stage& stage) override { return profile_.find_stage(signer_.stage(stage)) != nullptr; }

  bool structural() const override { return true; }
  bool uniform_links() const override { return true; }

  double utilisation(OpId op) override { return estimator().utilisation(op); }
  /// What the device's arithmetic alone would take.
  double work_ms(OpId op) override { return static_cast<double>(graph_.macs(op)) * graph_.batch() / macs_per_ms_; }
  double estimate_stage_ms(const Stage& stage) override { return estimator().estimate_stage_ms(stage); }
  double stage_lower_bound_ms(const Stage& stage) override { return estimator().stage_lower_bound_ms(stage); }
  Sharing sharing() const override { return estimator_ ? estimator_->sharing() : Sharing{}; }

  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return from == to ? 0 : profile_.transfer_ms(from, to, transfer_bytes(graph_, producer, consumer, precision_));
  }

 private:
  /// The contention model, fitted anew whenever the profile has grown by half since the last time.
  RecordedCost& estimator() {
    if (!estimator_)
      for (OpId op : graph_.units()) operator_ms(op);
    const std::size_t known = profile_.stages().size();
    if (!estimator_ || 2 * known > 3 * fitted_to_) {
      estimator_.reset();
      model_.emplace(ContentionModel::fit(profile_));
      estimator_.emplace(graph_, profile_, *model_);
      fitted_to_ = known;
    }
    return *estimator_;
  }

  const Graph& graph_;
  Profile& profile_;
  Precision precision_;
  double macs_per_ms_;
  StageSigner signer_;
  StageTimer timer_;
  std::optional<ContentionModel> model_;
  std::optional<RecordedCost> estimator_;
  std::size_t fitted_to_ = 0;  ///< stages in the profile at the last fit
};

}  // namespace

std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, DeviceContext& device,
                                              Precision precision) {
  return std::make_unique<MeasuredCost>(graph, profile, device, precision);
}

}  // namespace opsched

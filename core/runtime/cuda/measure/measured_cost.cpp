#include "core/runtime/cuda/measure/measured_cost.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <vector>

#include "core/cost/profile/recorded.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/cost/transfer.hpp"
#include "core/runtime/cuda/device/peak_rate.hpp"
#include "core/runtime/cuda/measure/stage_timer.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

class MeasuredCost final : public CostModel {
 public:
  MeasuredCost(const Graph& graph, Profile& profile, const Connect& connect, Precision precision)
      : graph_(graph),
        profile_(profile),
        precision_(precision),
        macs_per_ms_(peak_macs_per_ms(connect(1).devices.front()->gpu(), precision)),
        signer_(graph),
        timer_(graph, connect, precision) {}

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::measured; }

  double operator_ms(OpId op) override { return stage_ms({.strategy = Strategy::concurrent, .groups = {{op}}}); }

  double stage_ms(const Stage& stage) override {
    const std::string key = signer_.stage(stage);
    if (!profile_.find_stage(key)) prefetch({&stage, 1});
    return profile_.find_stage(key)->ms;
  }
  /// Measures those that the profile does not hold; each is recorded as soon as it is known.
  void prefetch(std::span<const Stage> stages) override {
    std::vector<StageRequest> requests;
    std::vector<std::string> keys;
    std::unordered_set<std::string> distinct;
    for (const Stage& stage : stages) {
      std::string key = signer_.stage(stage);
      if (profile_.find_stage(key) || !distinct.insert(key).second) continue;
      requests.push_back({stage, about_ms(stage)});
      keys.push_back(std::move(key));
    }
    timer_.time(requests, [&](std::size_t i, const Record& record) { profile_.record_stage(keys[i], record); });
  }
  bool stage_known(const Stage& stage) override { return profile_.find_stage(signer_.stage(stage)) != nullptr; }
  bool kind_known(std::uint64_t kind) override { return profile_.holds_kind(kind); }

  bool structural() const override { return true; }
  bool uniform_links() const override { return true; }

  double utilisation(OpId op) override { return estimator().utilisation(op); }
  /// What the device's arithmetic alone would take.
  double work_ms(OpId op) override { return static_cast<double>(graph_.macs(op)) * graph_.batch() / macs_per_ms_; }
  double estimate_stage_ms(const Stage& stage) override { return estimator().estimate_stage_ms(stage); }
  double stage_lower_bound_ms(const Stage& stage) override { return estimator().stage_lower_bound_ms(stage); }
  Sharing sharing() const override { return estimator_ ? estimator_->sharing() : Sharing{}; }

  std::optional<double> schedule_ms(const Schedule& schedule) override {
    const std::string graph = fingerprint(graph_), key = fingerprint(schedule);
    if (!profile_.find_schedule(graph, key)) record(schedule, timer_.time(schedule));
    return profile_.find_schedule(graph, key)->record.ms;
  }
  void prefetch_schedules(std::span<const Schedule> schedules) override {
    std::vector<Schedule> unknown;
    std::unordered_set<std::string> distinct;
    for (const Schedule& schedule : schedules) {
      const std::string key = fingerprint(schedule);
      if (!profile_.find_schedule(fingerprint(graph_), key) && distinct.insert(key).second) unknown.push_back(schedule);
    }
    const std::vector<Record> records = timer_.time_in_turn(unknown);
    for (std::size_t i = 0; i < records.size(); ++i) record(unknown[i], records[i]);
  }
  std::vector<Schedule> known_schedules(int devices) override { return recorded_schedules(graph_, profile_, devices); }

  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return from == to ? 0 : profile_.transfer_ms(from, to, transfer_bytes(graph_, producer, consumer, precision_));
  }

 private:
  void record(const Schedule& schedule, const Record& record) {
    profile_.record_schedule(fingerprint(graph_), fingerprint(schedule),
                             {.record = record,
                              .label = graph_.name() + "/verified/batch:" + std::to_string(graph_.batch()),
                              .schedule = to_text(schedule)});
  }
  /// Before anything is known, what its arithmetic alone would take.
  double about_ms(const Stage& stage) {
    if (estimator_) return estimator_->estimate_stage_ms(stage);
    double sum = 0;
    for (const Group& group : stage.groups)
      for (OpId op : group) sum += work_ms(op);
    return sum;
  }
  /// The contention model, fitted anew whenever the profile has grown by half since the last time.
  RecordedCost& estimator() {
    if (!estimator_) {
      std::vector<Stage> alone;
      for (OpId op : graph_.units()) alone.push_back({.strategy = Strategy::concurrent, .groups = {{op}}});
      prefetch(alone);
    }
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

std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, const Connect& connect,
                                              Precision precision) {
  return std::make_unique<MeasuredCost>(graph, profile, connect, precision);
}

}  // namespace opsched

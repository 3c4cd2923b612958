// Costs that are measured on demand and stored in a profile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/cost/profile/recorded.hpp"

namespace opsched {

struct StageRequest {
  Stage stage;
  double about_ms = 0;  ///< approximate latency, or less; 0: unknown. Long stages need fewer repetitions.
};

/// Times stages and schedules of one graph on a device. Throws Error on failure.
class Stopwatch {
 public:
  /// Called after each measurement with the index of the request and its latency.
  using Done = std::function<void(std::size_t request, const ProfileEntry&)>;

  virtual ~Stopwatch() = default;
  virtual void time_stages(std::span<const StageRequest> requests, const Done& done) = 0;
  virtual ProfileEntry time_schedule(const Schedule& schedule) = 0;
  /// Several schedules in alternation, for comparison.
  virtual std::vector<ProfileEntry> time_in_turn(std::span<const Schedule> schedules) = 0;
  /// A stopwatch for another graph on the same device. The graph must outlive it. Default: throws Error.
  virtual std::unique_ptr<Stopwatch> of(const Graph& graph);
};

/// Returns what is in the profile, and measures and records the rest immediately.
///
/// Estimates come from the contention model. It is fitted at the first estimate (utilisation, estimate_stage_ms,
/// stage_lower_bound_ms, contention_law), after every operator has been measured alone, and again whenever the
/// profile has grown by half.
class MeasuredCost : public CostModel {
 public:
  /// `graph` and `profile` must outlive it. `macs_per_ms`: peak rate of the device. Its graph() is `graph` as the
  /// profile's device runs it (measured_graph).
  MeasuredCost(const Graph& graph, Profile& profile, std::unique_ptr<Stopwatch> stopwatch, double macs_per_ms);

  const Graph& graph() const override { return *graph_; }
  Provenance provenance() const override { return Provenance::measured; }
  std::unique_ptr<CostModel> of(const Graph& graph) override;

  double operator_ms(OpId op) override;
  double stage_ms(const Stage& stage) override;
  /// Measures the stages that are not in the profile.
  void prefetch(std::span<const Stage> stages) override;
  double utilisation(OpId op) override { return estimator().utilisation(op); }
  /// Lower limit from the arithmetic alone.
  double work_ms(OpId op) override { return static_cast<double>(graph_->macs(op)) * graph_->images(op) / macs_per_ms_; }
  double estimate_stage_ms(const Stage& stage) override { return estimator().estimate_stage_ms(stage); }
  double stage_lower_bound_ms(const Stage& stage) override { return estimator().stage_lower_bound_ms(stage); }
  /// From the transfers in the profile; throws Error if there are none.
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override;
  std::int64_t link_class(int from, int to) const override { return profile_.link_class(from, to); }
  const Topology& topology() const override { return profile_.topology(); }
  std::span<const ConvSum> conv_sums() const override { return sums_; }

  bool measures() const override { return true; }
  bool bounds_hold() const override { return false; }
  bool all_stages_known() const override { return false; }
  bool stage_known(const Stage& stage) const override { return profile_.find_stage(signer_.stage(stage)) != nullptr; }
  bool kind_known(std::uint64_t kind) const override { return profile_.holds_kind(kind); }
  bool structural() const override { return true; }

  std::optional<double> schedule_ms(const Schedule& schedule) override;
  void prefetch_schedules(std::span<const Schedule> schedules) override;
  std::vector<Schedule> known_schedules(int devices) override { return recorded_schedules(*graph_, profile_, devices); }
  ContentionLaw contention_law() override { return estimator().contention_law(); }

 private:
  void record(const Schedule& schedule, const ProfileEntry& record);
  double about_ms(const Stage& stage);
  RecordedCost& estimator();

  std::shared_ptr<const Graph> graph_;
  Profile& profile_;
  std::unique_ptr<Stopwatch> stopwatch_;
  double macs_per_ms_;
  StageSigner signer_;
  std::vector<ConvSum> sums_;
  /// Shared with costs of other graphs created by this model.
  struct Fit {
    std::shared_ptr<const ContentionModel> model;
    std::size_t stages = 0;  ///< size of the profile at the last fit
  };
  std::shared_ptr<Fit> fit_ = std::make_shared<Fit>();
  std::shared_ptr<const ContentionModel> model_;  ///< of the estimator
  std::optional<RecordedCost> estimator_;
};

}  // namespace opsched

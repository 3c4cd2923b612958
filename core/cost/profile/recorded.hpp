// Costs from a profile, for machines without the GPU.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/cost/contention/contention.hpp"
#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile.hpp"

namespace opsched {

/// A profile with the model fitted to it.
struct Recording {
  Profile profile;
  ContentionModel model;
  static Recording load(const std::string& path);
};

/// Schedules of this graph, with its splits, on at most this many devices in the profile, by fingerprint. Throws Error
/// if one of them cannot be parsed.
std::vector<Schedule> recorded_schedules(const Graph& graph, const Profile& profile, int devices);

/// A schedule of this graph on as many GPUs as the schedule has devices.
ScheduleOrigin origin_of(const Graph& graph, const Schedule& schedule, std::string scheduler,
                         std::map<std::string, std::string> options = {});

/// Returns what is in the profile; everything else is the model's estimate.
class RecordedCost : public CostModel {
 public:
  /// All arguments must outlive it. Entries recorded later are seen, except for the calibration. Its graph() is
  /// `graph` as the profile's device runs it (measured_graph).
  RecordedCost(const Graph& graph, const Profile& profile, const ContentionModel& model);
  RecordedCost(const Graph& graph, const Recording& recording)
      : RecordedCost(graph, recording.profile, recording.model) {}

  const Graph& graph() const override { return *graph_; }
  Provenance provenance() const override { return Provenance::recorded; }
  std::unique_ptr<CostModel> of(const Graph& graph) override {
    return std::make_unique<RecordedCost>(graph, profile_, model_);
  }
  double operator_ms(OpId op) override { return tasks_[op].task.ms; }
  double utilisation(OpId op) override { return tasks_[op].task.utilisation; }
  double stage_ms(const Stage& stage) override;
  /// The model's estimate, whether the stage was measured or not.
  double estimate_stage_ms(const Stage& stage) override;
  /// For concurrent groups: at least the latency of the slowest operator and of each group in sequence, minus a tenth
  /// for noise. 0 for a merge.
  double stage_lower_bound_ms(const Stage& stage) override;
  bool stage_known(const Stage& stage) const override { return find(signer_.stage(stage)) != nullptr; }
  bool kind_known(std::uint64_t kind) const override { return profile_.holds_kind(kind); }
  bool bounds_hold() const override { return false; }
  bool all_stages_known() const override { return false; }
  bool structural() const override { return true; }
  /// If the profile has this exact schedule.
  std::optional<double> schedule_ms(const Schedule& schedule) override;
  std::vector<Schedule> known_schedules(int devices) override { return recorded_schedules(*graph_, profile_, devices); }
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override;
  std::int64_t link_class(int from, int to) const override { return profile_.link_class(from, to); }
  const Topology& topology() const override { return profile_.topology(); }
  std::span<const ConvSum> conv_sums() const override { return sums_; }
  /// The model's law, with the values that calibrate() (runtime/sim) found for whole schedules.
  ContentionLaw contention_law() override { return law_; }

  const Profile& profile() const { return profile_; }
  /// Number of distinct stages requested so far that were in the profile, and that were not.
  int recorded_stages() const { return static_cast<int>(asked_.size()); }
  int estimated_stages() const { return static_cast<int>(estimates_.size()); }

 private:
  double merge_ms(const Stage& stage);
  const ProfileEntry* find(std::string key) const;

  std::shared_ptr<const Graph> graph_;
  const Profile& profile_;
  const ContentionModel& model_;
  ContentionLaw law_;
  std::vector<ConvSum> sums_;
  StageSigner signer_;
  std::vector<PoweredTask> tasks_;  ///< by OpId
  std::unordered_map<std::string, double> estimates_, merges_;
  std::map<std::int64_t, std::unordered_map<std::uint64_t, double>> transfers_;  ///< by class of link, by edge
  std::unordered_set<std::string> asked_;                                        ///< recorded ones
};

/// Names of ContentionLaw's parameters for whole schedules in a profile's calibration.
ContentionLaw calibrated(ContentionLaw law, const Profile& profile);
void store_calibration(Profile& profile, const ContentionLaw& law);

}  // namespace opsched

#include "core/cost/profile/measured.hpp"

#include <string>
#include <unordered_set>
#include <utility>

#include "core/cost/profile/measured_graph.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/cost/transfer.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

Stage alone(OpId op) { return {.strategy = Strategy::concurrent, .groups = {{op}}}; }

}  // namespace

std::unique_ptr<Stopwatch> Stopwatch::of(const Graph& graph) {
  throw Error("nothing times operators of graph '" + graph.name() + "' that are split into strips");
}

MeasuredCost::MeasuredCost(const Graph& graph, Profile& profile, std::unique_ptr<Stopwatch> stopwatch,
                           double macs_per_ms)
    : graph_(measured_graph(graph, profile)),
      profile_(profile),
      stopwatch_(graph_.get() == &graph ? std::move(stopwatch) : stopwatch->of(*graph_)),
      macs_per_ms_(macs_per_ms),
      signer_(*graph_, adds_residuals(profile.device().kernels)),
      sums_(measured_sums(*graph_, profile)) {}

std::unique_ptr<CostModel> MeasuredCost::of(const Graph& graph) {
  auto other = std::make_unique<MeasuredCost>(graph, profile_, stopwatch_->of(graph), macs_per_ms_);
  other->fit_ = fit_;
  return other;
}

double MeasuredCost::operator_ms(OpId op) { return stage_ms(alone(op)); }

double MeasuredCost::stage_ms(const Stage& stage) {
  const std::string key = signer_.stage(stage);
  if (!profile_.find_stage(key)) prefetch({&stage, 1});
  return profile_.find_stage(key)->ms;
}

void MeasuredCost::prefetch(std::span<const Stage> stages) {
  std::vector<StageRequest> requests;
  std::vector<std::string> keys;
  std::unordered_set<std::string> distinct;
  for (const Stage& stage : stages) {
    std::string key = signer_.stage(stage);
    if (profile_.find_stage(key) || !distinct.insert(key).second) continue;
    requests.push_back({stage, about_ms(stage)});
    keys.push_back(std::move(key));
  }
  if (requests.empty()) return;
  stopwatch_->time_stages(requests,
                          [&](std::size_t i, const ProfileEntry& record) { profile_.record_stage(keys[i], record); });
}

double MeasuredCost::transfer_ms(OpId producer, OpId consumer, int from, int to) {
  if (from == to) return 0;
  return profile_.transfer_ms(from, to, transfer_bytes(*graph_, producer, consumer, profile_.precision()));
}

std::optional<double> MeasuredCost::schedule_ms(const Schedule& asked) {
  const Schedule schedule = stated(*graph_, asked);
  const std::string graph = fingerprint(*graph_), key = fingerprint(schedule);
  if (!profile_.find_schedule(graph, key)) record(schedule, stopwatch_->time_schedule(schedule));
  return profile_.find_schedule(graph, key)->record.ms;
}

void MeasuredCost::prefetch_schedules(std::span<const Schedule> schedules) {
  std::vector<Schedule> unknown;
  std::unordered_set<std::string> distinct;
  for (const Schedule& asked : schedules) {
    Schedule schedule = stated(*graph_, asked);
    const std::string key = fingerprint(schedule);
    if (!profile_.find_schedule(fingerprint(*graph_), key) && distinct.insert(key).second)
      unknown.push_back(std::move(schedule));
  }
  if (unknown.empty()) return;
  const std::vector<ProfileEntry> records = stopwatch_->time_in_turn(unknown);
  for (std::size_t i = 0; i < records.size(); ++i) record(unknown[i], records[i]);
}

void MeasuredCost::record(const Schedule& schedule, const ProfileEntry& record) {
  profile_.record_schedule(
      fingerprint(*graph_), fingerprint(schedule),
      {.record = record, .origin = origin_of(*graph_, schedule, kCandidate), .schedule = to_text(schedule)});
}

/// Without a model yet, the time of its arithmetic alone.
double MeasuredCost::about_ms(const Stage& stage) {
  if (estimator_) return estimator_->estimate_stage_ms(stage);
  double sum = 0;
  for (const Group& group : stage.groups)
    for (OpId op : group) sum += work_ms(op);
  return sum;
}

RecordedCost& MeasuredCost::estimator() {
  if (!estimator_) {
    std::vector<Stage> stages;
    for (OpId op : graph_->units()) stages.push_back(alone(op));
    prefetch(stages);
  }
  const std::size_t known = profile_.stages().size();
  if (!fit_->model || 2 * known > 3 * fit_->stages)
    *fit_ = {std::make_shared<const ContentionModel>(ContentionModel::fit(profile_)), known};
  if (!estimator_ || model_ != fit_->model) {
    estimator_.reset();
    model_ = fit_->model;
    estimator_.emplace(*graph_, profile_, *model_);
  }
  return *estimator_;
}

}  // namespace opsched

#include "core/cost/profile/recorded.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/cost/profile/measured_graph.hpp"
#include "core/cost/transfer.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

constexpr std::array<std::pair<const char*, double ContentionLaw::*>, 10> kCalibrated = {{
    {"schedule.softness", &ContentionLaw::exponent},
    {"schedule.crowding", &ContentionLaw::interference},
    {"schedule.start_ms", &ContentionLaw::start_ms},
    {"schedule.dependency_ms", &ContentionLaw::dependency_ms},
    {"schedule.remote_ms", &ContentionLaw::remote_ms},
    {"schedule.switch_ms", &ContentionLaw::switch_ms},
    {"schedule.chain_switch_ms", &ContentionLaw::chain_switch_ms},
    {"schedule.sum_share", &ContentionLaw::sum_share},
    {"schedule.launch_ms", &ContentionLaw::launch_ms},
    {"schedule.device_ms", &ContentionLaw::device_ms},
}};

}  // namespace

ContentionLaw calibrated(ContentionLaw law, const Profile& profile) {
  for (const auto& [name, member] : kCalibrated)
    if (const auto it = profile.calibration().find(name); it != profile.calibration().end()) law.*member = it->second;
  return law;
}

void store_calibration(Profile& profile, const ContentionLaw& law) {
  for (const auto& [name, member] : kCalibrated) profile.set_calibration(name, law.*member);
}

Recording Recording::load(const std::string& path) {
  Profile profile = Profile::load(path);
  ContentionModel model = ContentionModel::fit(profile);
  return {std::move(profile), std::move(model)};
}

std::vector<Schedule> recorded_schedules(const Graph& graph, const Profile& profile, int devices) {
  std::vector<Schedule> schedules;
  const std::string key = fingerprint(graph);
  for (auto it = profile.schedules().lower_bound({key, ""}); it != profile.schedules().end() && it->first.first == key;
       ++it) {
    if (it->second.schedule.empty()) continue;
    Schedule schedule = schedule_from_text(it->second.schedule);
    if (static_cast<int>(schedule.devices.size()) > devices || schedule.splits != graph.splits()) continue;
    schedule.graph = graph.name();
    validate(graph, schedule);
    schedules.push_back(std::move(schedule));
  }
  return schedules;
}

ScheduleOrigin origin_of(const Graph& graph, const Schedule& schedule, std::string scheduler,
                         std::map<std::string, std::string> options) {
  const Shape input = graph.inputs().empty() ? Shape{} : graph.op(graph.inputs().front()).output;
  return {.network = graph.name(),
          .scheduler = std::move(scheduler),
          .options = std::move(options),
          .batch = graph.batch(),
          .image = {input.h, input.w},
          .gpus = static_cast<int>(schedule.devices.size())};
}

RecordedCost::RecordedCost(const Graph& graph, const Profile& profile, const ContentionModel& model)
    : graph_(measured_graph(graph, profile)),
      profile_(profile),
      model_(model),
      law_(calibrated(model.contention_law(), profile)),
      sums_(measured_sums(*graph_, profile)),
      signer_(*graph_, adds_residuals(profile.device().kernels)) {
  for (OpId op = 0; op < graph_->size(); ++op) {
    Task task;
    if (graph_->op(op).is_unit()) {
      task = model.operator_task(graph_->op(op), operator_signature(*graph_, op), graph_->images(op));
      if (const ProfileEntry* record = profile.find_stage(signer_.solo(op))) task.ms = record->ms;
    }
    tasks_.push_back(model.contention_law().powered(task));
  }
}

double RecordedCost::merge_ms(const Stage& stage) {
  const std::string key = signer_.stage(stage);
  const auto [it, fresh] = merges_.try_emplace(key, 0.0);
  if (fresh) {
    std::vector<Operator> ops;
    for (const OpId op : stage.groups.front()) ops.push_back(graph_->op(op));
    it->second = model_.merged_task(ops, graph_->batch()).ms;
  }
  return it->second;
}

double RecordedCost::estimate_stage_ms(const Stage& stage) {
  if (stage.is_merge()) return merge_ms(stage);
  return concurrent_ms(stage.groups, tasks_, model_.contention_law());
}

double RecordedCost::stage_lower_bound_ms(const Stage& stage) {
  if (stage.strategy == Strategy::merge) return 0;
  double longest = 0;
  for (const Group& group : stage.groups) {
    double sum = 0;
    for (OpId op : group) sum += sum > 0 ? model_.contention_law().following_ms(operator_ms(op)) : operator_ms(op);
    longest = std::max(longest, sum);
  }
  return 0.9 * longest;
}

const ProfileEntry* RecordedCost::find(std::string key) const {
  if (const ProfileEntry* record = profile_.find_stage(key)) return record;
  // Merges with kernels before version 14 always copied, and their keys said so by "@c".
  const std::string mark = "@copy";
  const std::size_t first = key.find(mark);
  if (first == std::string::npos) return nullptr;
  for (std::size_t at = first; at != std::string::npos; at = key.find(mark, at)) key.replace(at, mark.size(), "@c");
  return profile_.find_stage(key);
}

double RecordedCost::stage_ms(const Stage& stage) {
  const std::string key = signer_.stage(stage);
  if (const ProfileEntry* record = find(key)) {
    asked_.insert(key);
    return record->ms;
  }
  const auto [it, fresh] = estimates_.try_emplace(key, 0.0);
  if (fresh) it->second = estimate_stage_ms(stage);
  return it->second;
}

double RecordedCost::transfer_ms(OpId producer, OpId consumer, int from, int to) {
  if (from == to) return 0;
  const std::uint64_t edge = static_cast<std::uint64_t>(producer) << 32 | static_cast<std::uint64_t>(consumer);
  const auto [it, fresh] = transfers_[profile_.link_class(from, to)].try_emplace(edge, 0.0);
  if (fresh)
    it->second = profile_.transfer_ms(from, to, transfer_bytes(*graph_, producer, consumer, profile_.precision()));
  return it->second;
}

std::optional<double> RecordedCost::schedule_ms(const Schedule& schedule) {
  const ScheduleRecord* known = profile_.find_schedule(fingerprint(*graph_), fingerprint(stated(*graph_, schedule)));
  return known ? std::optional(known->record.ms) : std::nullopt;
}

}  // namespace opsched

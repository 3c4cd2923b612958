#include "core/runtime/sim/accuracy.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace opsched {
namespace {

/// The key of schedules that are held out together.
std::pair<std::string, std::map<std::string, std::string>> scheduler_of(const ScheduleOrigin& origin) {
  return {origin.scheduler, origin.options};
}
/// Everything but the scheduler: schedules of one setting are compared with each other.
auto setting_of(const ScheduleOrigin& o) { return std::tie(o.network, o.batch, o.image, o.gpus); }

using Keys = std::unordered_set<std::string>;

/// A copy without some of the stages and without any calibration.
Profile without(const Profile& profile, const Keys& hidden) {
  Profile part(profile.device(), profile.precision());
  for (const auto& [key, record] : profile.stages())
    if (!hidden.contains(key)) part.record_stage(key, record);
  part.set_topology(profile.topology());
  for (const LinkKind kind : kLinkKinds)
    for (const auto& [link, record] : profile.transfers(kind)) {
      const auto& [from, to, bytes] = link;
      part.record_transfer(from, to, bytes, record, kind);
    }
  for (const auto& [key, record] : profile.schedules()) part.record_schedule(key.first, key.second, record);
  return part;
}

void add_stages_of_several(const ScheduleCase& c, Keys& keys) {
  const StageSigner signer(*c.graph);
  for (const DeviceSchedule& device : c.schedule.devices)
    for (const Stage& stage : device.stages) {
      if (c.schedule.mode == Mode::dataflow && stage.strategy != Strategy::merge) continue;
      if (stage.groups.size() > 1 || stage.groups.front().size() > 1) keys.insert(signer.stage(stage));
    }
}

/// Predicts the schedules in `held` after calibrating on `seen`; both use the profile `visible`.
std::vector<Prediction> predict(Profile visible, const ContentionModel& model, std::span<const ScheduleCase> seen,
                                std::span<const ScheduleCase> held) {
  calibrate(visible, model, seen);
  return compare_with_measured(visible, model, held);
}

std::vector<HeldOutSchedule> hold_out_schedulers(const Profile& profile, std::span<const ScheduleCase> cases,
                                                 const std::function<void(const std::string&)>& progress) {
  std::map<std::pair<std::string, std::map<std::string, std::string>>, std::vector<ScheduleCase>> by_scheduler;
  for (const ScheduleCase& c : cases)
    if (const ScheduleRecord* record = profile.find_schedule(fingerprint(*c.graph), fingerprint(c.schedule)))
      by_scheduler[scheduler_of(record->origin)].push_back(c);
  const ContentionModel of_all = ContentionModel::fit(profile);
  std::vector<HeldOutSchedule> list;
  for (const auto& [scheduler, held] : by_scheduler) {
    if (progress) progress("schedules of " + scheduler.first + " left out");
    std::vector<ScheduleCase> seen;
    Keys hidden;
    for (const auto& [other, its] : by_scheduler)
      if (other != scheduler) seen.insert(seen.end(), its.begin(), its.end());
    for (const ScheduleCase& c : held) add_stages_of_several(c, hidden);
    const std::vector<Prediction> replayed = predict(without(profile, {}), of_all, seen, held);
    Profile part = without(profile, hidden);
    const ContentionModel of_part = ContentionModel::fit(part);
    const std::vector<Prediction> unseen = predict(std::move(part), of_part, seen, held);
    for (std::size_t i = 0; i < held.size(); ++i)
      list.push_back(
          {replayed[i].origin, replayed[i].mode, replayed[i].measured, replayed[i].predicted, unseen[i].predicted});
  }
  std::ranges::sort(list, {}, &HeldOutSchedule::origin);
  return list;
}

void judge_schedules(std::span<const HeldOutSchedule> schedules, NetworkAccuracy& network) {
  std::vector<HeldOutSchedule> own;
  for (const HeldOutSchedule& s : schedules)
    if (s.origin.network == network.network) own.push_back(s);
  const auto judge = [&](double HeldOutSchedule::*predicted, ErrorStats& stats, OrderedPairs& pairs) {
    constexpr double apart = 1.02;
    std::vector<double> p, m;
    for (const HeldOutSchedule& a : own) {
      p.push_back(a.*predicted);
      m.push_back(a.measured);
      for (const HeldOutSchedule& b : own) {
        if (b.measured < apart * a.measured || setting_of(a.origin) != setting_of(b.origin)) continue;
        ++pairs.all;
        pairs.right += a.*predicted < b.*predicted;
      }
    }
    stats = error_stats(p, m);
  };
  judge(&HeldOutSchedule::replayed, network.replayed, network.replayed_pairs);
  judge(&HeldOutSchedule::unseen, network.unseen, network.unseen_pairs);
}

}  // namespace

Accuracy measure_accuracy(const Profile& profile, std::span<const ScheduleCase> cases,
                          const std::function<void(const std::string&)>& progress) {
  Accuracy accuracy;
  if (progress) progress("stages left out, a fifth at a time");
  accuracy.fit = cross_validate(profile);
  accuracy.schedules = hold_out_schedulers(profile, cases, progress);

  std::map<std::string, std::set<std::string>> operators;
  for (const ScheduleCase& c : cases)
    for (OpId op : c.graph->units())
      operators[c.graph->name()].insert(solo_key(operator_signature(*c.graph, op), c.graph->images(op)));
  for (const auto& [name, own] : operators) {
    NetworkAccuracy& network = accuracy.networks.emplace_back();
    network.network = name;
    std::vector<double> predicted, measured;
    for (const StagePrediction& stage : accuracy.fit.left_out) {
      const SignedStage parsed = parse_stage_key(stage.key);
      const auto known = [&parsed, &keys = own](const std::string& op) {
        return keys.contains(solo_key(op, parsed.batch));
      };
      if (!std::ranges::all_of(parsed.signatures, known)) continue;
      predicted.push_back(stage.predicted);
      measured.push_back(stage.measured);
    }
    network.stages = error_stats(predicted, measured);
    judge_schedules(accuracy.schedules, network);
  }
  return accuracy;
}

}  // namespace opsched

#include "core/runtime/sim/accuracy.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "core/cost/profile/measured_graph.hpp"
#include "core/cost/signature/signature.hpp"

namespace opsched {
namespace {

/// The key of schedules that are held out together.
using Kind = std::pair<std::string, std::map<std::string, std::string>>;
Kind scheduler_of(const ScheduleCase& c, const ScheduleOrigin& origin) {
  return c.schedule.splits.empty() ? Kind{origin.scheduler, origin.options} : Kind{"split operators", {}};
}
Kind network_of(const ScheduleCase&, const ScheduleOrigin& origin) { return {origin.network, {}}; }
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

void add_stages_of_several(const ScheduleCase& c, const Profile& profile, Keys& keys) {
  const StageSigner signer(*c.graph, adds_residuals(profile.device().kernels));
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

/// All cases that were measured, by kind.
std::map<Kind, std::vector<ScheduleCase>> by_kind(const Profile& profile, std::span<const ScheduleCase> cases,
                                                  Kind (*kind_of)(const ScheduleCase&, const ScheduleOrigin&)) {
  std::map<Kind, std::vector<ScheduleCase>> kinds;
  for (const ScheduleCase& c : cases)
    if (const ScheduleRecord* record = profile.find_schedule(fingerprint(*c.graph), fingerprint(c.schedule)))
      kinds[kind_of(c, record->origin)].push_back(c);
  return kinds;
}

std::vector<ScheduleCase> all_but(const Kind& kind, const std::map<Kind, std::vector<ScheduleCase>>& kinds) {
  std::vector<ScheduleCase> others;
  for (const auto& [other, its] : kinds)
    if (other != kind) others.insert(others.end(), its.begin(), its.end());
  return others;
}

std::vector<HeldOutSchedule> hold_out_schedulers(const Profile& profile, const ContentionModel& of_all,
                                                 std::span<const ScheduleCase> cases,
                                                 const std::function<void(const std::string&)>& progress) {
  std::vector<HeldOutSchedule> list;
  const auto kinds = by_kind(profile, cases, scheduler_of);
  for (const auto& [kind, held] : kinds) {
    if (progress) progress("schedules of " + kind.first + " left out");
    const std::vector<ScheduleCase> seen = all_but(kind, kinds);
    Keys hidden;
    for (const ScheduleCase& c : held) add_stages_of_several(c, profile, hidden);
    const std::vector<Prediction> replayed = predict(without(profile, {}), of_all, seen, held);
    Profile part = without(profile, hidden);
    const ContentionModel of_part = ContentionModel::fit(part);
    const std::vector<Prediction> unseen = predict(std::move(part), of_part, seen, held);
    for (std::size_t i = 0; i < held.size(); ++i)
      list.push_back({replayed[i].origin, replayed[i].mode, !held[i].schedule.splits.empty(), replayed[i].measured,
                      replayed[i].predicted, unseen[i].predicted});
  }
  std::ranges::sort(list, {}, &HeldOutSchedule::origin);
  return list;
}

/// Errors for every network, after a fit to the schedules of the others.
std::map<std::string, ErrorStats> hold_out_networks(const Profile& profile, const ContentionModel& of_all,
                                                    std::span<const ScheduleCase> cases,
                                                    const std::function<void(const std::string&)>& progress) {
  std::map<std::string, ErrorStats> errors;
  const auto kinds = by_kind(profile, cases, network_of);
  if (kinds.size() < 2) return errors;
  for (const auto& [kind, held] : kinds) {
    if (progress) progress("schedules of " + kind.first + " left out");
    errors[kind.first] = error_stats(predict(without(profile, {}), of_all, all_but(kind, kinds), held));
  }
  return errors;
}

ErrorStats errors_of(std::span<const HeldOutSchedule> schedules, double HeldOutSchedule::*predicted) {
  std::vector<double> p, m;
  for (const HeldOutSchedule& s : schedules) {
    p.push_back(s.*predicted);
    m.push_back(s.measured);
  }
  return error_stats(p, m);
}

/// Pairs whose measured latencies differ by more than this fraction.
OrderedPairs pairs_of(std::span<const HeldOutSchedule> schedules, double HeldOutSchedule::*predicted, double apart) {
  OrderedPairs pairs;
  for (const HeldOutSchedule& a : schedules)
    for (const HeldOutSchedule& b : schedules) {
      if (b.measured < (1 + apart) * a.measured || setting_of(a.origin) != setting_of(b.origin)) continue;
      ++pairs.all;
      pairs.right += a.*predicted < b.*predicted;
    }
  return pairs;
}

void judge_schedules(std::span<const HeldOutSchedule> schedules, NetworkAccuracy& network) {
  constexpr double kApart = 0.02;
  std::vector<HeldOutSchedule> own;
  for (const HeldOutSchedule& s : schedules)
    if (s.origin.network == network.network) own.push_back(s);
  network.replayed = errors_of(own, &HeldOutSchedule::replayed);
  network.replayed_pairs = pairs_of(own, &HeldOutSchedule::replayed, kApart);
  network.unseen = errors_of(own, &HeldOutSchedule::unseen);
  network.unseen_pairs = pairs_of(own, &HeldOutSchedule::unseen, kApart);
}

std::vector<GpusAccuracy> judge_by_gpus(std::span<const HeldOutSchedule> schedules) {
  std::map<std::pair<int, bool>, std::vector<HeldOutSchedule>> groups;
  for (const HeldOutSchedule& s : schedules) groups[{s.origin.gpus, s.splits}].push_back(s);
  std::vector<GpusAccuracy> list;
  for (const auto& [key, own] : groups) {
    const ErrorStats stats = errors_of(own, &HeldOutSchedule::replayed);
    list.push_back({key.first, key.second, stats, pairs_of(own, &HeldOutSchedule::replayed, stats.median)});
  }
  return list;
}

}  // namespace

Accuracy measure_accuracy(const Profile& profile, std::span<const ScheduleCase> cases,
                          const std::function<void(const std::string&)>& progress) {
  Accuracy accuracy;
  if (progress) progress("stages left out, a fifth at a time");
  accuracy.fit = cross_validate(profile);
  const ContentionModel of_all = ContentionModel::fit(profile);
  accuracy.schedules = hold_out_schedulers(profile, of_all, cases, progress);
  accuracy.gpus = judge_by_gpus(accuracy.schedules);
  const std::map<std::string, ErrorStats> other_networks = hold_out_networks(profile, of_all, cases, progress);

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
    if (const auto it = other_networks.find(name); it != other_networks.end()) network.other_networks = it->second;
  }
  return accuracy;
}

}  // namespace opsched

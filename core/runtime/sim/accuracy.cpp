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

using Cases = std::vector<const MeasuredCase*>;

/// The key of schedules that are held out together.
using Kind = std::pair<std::string, std::map<std::string, std::string>>;
Kind scheduler_of(const MeasuredCase& c) {
  if (!c.schedule->schedule.splits.empty()) return {"split operators", {}};
  // Without the candidates of all networks, too few dataflow schedules would be left to determine their costs.
  if (c.origin.scheduler == kCandidate) return {"search on " + c.origin.network, {}};
  return {c.origin.scheduler, c.origin.options};
}
Kind network_of(const MeasuredCase& c) { return {c.origin.network, {}}; }
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

/// "3 of 8"
std::string of(int turn, std::size_t turns) { return std::to_string(turn) + " of " + std::to_string(turns); }

std::map<Kind, Cases> by_kind(const std::vector<MeasuredCase>& cases, Kind (*kind_of)(const MeasuredCase&)) {
  std::map<Kind, Cases> kinds;
  for (const MeasuredCase& c : cases) kinds[kind_of(c)].push_back(&c);
  return kinds;
}

Cases all_but(const Kind& kind, const std::map<Kind, Cases>& kinds) {
  Cases others;
  for (const auto& [other, its] : kinds)
    if (other != kind) others.insert(others.end(), its.begin(), its.end());
  return others;
}

/// Predicts the schedules of this kind after a fit to the others.
std::vector<Prediction> predict_kind(const Kind& kind, const std::map<Kind, Cases>& kinds, const ContentionLaw& start) {
  return predict(fit_schedules(start, all_but(kind, kinds)), kinds.at(kind));
}

/// The same without stages of several operators of this kind's schedules, in the order of `held`.
std::vector<Prediction> predict_unseen(const Profile& profile, const Kind& kind, const Cases& held,
                                       std::span<const ScheduleCase> cases) {
  Keys hidden;
  for (const MeasuredCase* c : held) add_stages_of_several(*c->schedule, profile, hidden);
  const Profile part = without(profile, hidden);
  const ContentionModel model = ContentionModel::fit(part);
  const std::vector<MeasuredCase> measured = measured_cases(part, model, cases);
  return predict_kind(kind, by_kind(measured, scheduler_of), model.contention_law());
}

std::vector<HeldOutSchedule> hold_out_schedulers(const Profile& profile, const ContentionLaw& law,
                                                 const std::vector<MeasuredCase>& measured,
                                                 std::span<const ScheduleCase> cases,
                                                 const std::function<void(const std::string&)>& progress) {
  std::vector<HeldOutSchedule> list;
  const auto kinds = by_kind(measured, scheduler_of);
  int turn = 0;
  for (const auto& [kind, held] : kinds) {
    if (progress) progress("schedules of " + kind.first + " left out, " + of(++turn, kinds.size()));
    const std::vector<Prediction> replayed = predict_kind(kind, kinds, law);
    const std::vector<Prediction> unseen = predict_unseen(profile, kind, held, cases);
    for (std::size_t i = 0; i < held.size(); ++i)
      list.push_back({replayed[i].origin, replayed[i].mode, !held[i]->schedule->schedule.splits.empty(),
                      replayed[i].measured, replayed[i].predicted, unseen[i].predicted});
  }
  std::ranges::sort(list, {}, &HeldOutSchedule::origin);
  return list;
}

/// Errors for every network, after a fit to the schedules of the others.
std::map<std::string, ErrorStats> hold_out_networks(const ContentionLaw& law, const std::vector<MeasuredCase>& measured,
                                                    const std::function<void(const std::string&)>& progress) {
  std::map<std::string, ErrorStats> errors;
  const auto kinds = by_kind(measured, network_of);
  if (kinds.size() < 2) return errors;
  int turn = 0;
  for (const auto& [kind, held] : kinds) {
    if (progress) progress("schedules of " + kind.first + " left out, " + of(++turn, kinds.size()));
    errors[kind.first] = error_stats(predict_kind(kind, kinds, law));
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
  constexpr int kParts = 5;
  accuracy.fit = cross_validate(profile, kParts, [&](int part) {
    if (progress) progress("stages left out, " + of(part + 1, kParts));
  });
  const ContentionModel of_all = ContentionModel::fit(profile);
  const std::vector<MeasuredCase> measured = measured_cases(profile, of_all, cases);
  accuracy.schedules = hold_out_schedulers(profile, of_all.contention_law(), measured, cases, progress);
  accuracy.gpus = judge_by_gpus(accuracy.schedules);
  const std::map<std::string, ErrorStats> other_networks =
      hold_out_networks(of_all.contention_law(), measured, progress);

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

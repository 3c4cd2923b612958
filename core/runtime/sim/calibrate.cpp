#include "core/runtime/sim/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/cost/contention/least_squares.hpp"
#include "core/cost/profile/measured_graph.hpp"
#include "core/parallel.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

// The parameters of a contention law that whole schedules determine, as a vector for the fit.
std::vector<double> pack(const ContentionLaw& s) {
  return {std::log(s.exponent - 1), std::log(std::max(s.interference, 1e-4)),
          1000 * s.start_ms,        1000 * s.dependency_ms,
          1000 * s.launch_ms,       1000 * s.switch_ms,
          1000 * s.chain_switch_ms, 1000 * s.device_ms,
          1000 * s.remote_ms,       s.sum_share};
}

ContentionLaw unpack(const std::vector<double>& v, ContentionLaw s) {
  s.exponent = 1 + std::exp(std::clamp(v[0], -4.0, 4.0));
  s.interference = std::exp(std::min(v[1], 2.0));
  s.start_ms = std::max(0.0, v[2] / 1000);
  s.dependency_ms = std::max(0.0, v[3] / 1000);
  s.launch_ms = std::max(0.0, v[4] / 1000);
  s.switch_ms = std::max(0.0, v[5] / 1000);
  s.chain_switch_ms = std::max(0.0, v[6] / 1000);
  s.device_ms = std::max(0.0, v[7] / 1000);
  s.remote_ms = std::max(0.0, v[8] / 1000);
  s.sum_share = std::clamp(v[9], 0.0, 1.0);
  return s;
}

// A long search measures hundreds of similar schedules. A fit takes at most this many of one network, so that they do
// not outweigh all others.
constexpr int kMostCandidates = 40;

ContentionLaw rounded_as_stored(const ContentionLaw& law) {
  Profile profile({}, Precision::fp32);
  store_calibration(profile, law);
  return calibrated(law, profile);
}

std::vector<const MeasuredCase*> pointers(const std::vector<MeasuredCase>& cases) {
  std::vector<const MeasuredCase*> list;
  for (const MeasuredCase& c : cases) list.push_back(&c);
  return list;
}

}  // namespace

std::vector<MeasuredCase> measured_cases(const Profile& profile, const ContentionModel& model,
                                         std::span<const ScheduleCase> cases) {
  std::vector<MeasuredCase> list;
  std::map<const Graph*, std::unique_ptr<RecordedCost>> costs;
  for (const ScheduleCase& c : cases) {
    validate(*c.graph, c.schedule);
    const ScheduleRecord* record = profile.find_schedule(fingerprint(*c.graph), fingerprint(c.schedule));
    if (!record) continue;
    std::unique_ptr<RecordedCost>& cost = costs[c.graph.get()];
    if (!cost) cost = std::make_unique<RecordedCost>(*c.graph, profile, model);
    const ScheduledCosts scheduled(*cost, c.schedule);
    list.push_back({record->origin, c.schedule.mode, record->record.ms, {*scheduled, c.schedule}, &c});
  }
  return list;
}

ContentionLaw fit_schedules(const ContentionLaw& start, std::span<const MeasuredCase* const> cases) {
  if (cases.empty()) return start;
  constexpr double kNoise = 0.02, kOutlier = 0.05;
  const std::vector<double> prior = pack(start);
  const double spread[] = {0.5, 0.02, 1, 1, 3, 1, 1, 10, 3, 0.3};
  const auto residuals = [&](const std::vector<double>& v, std::vector<double>& r) {
    const ContentionLaw law = unpack(v, start);
    r.assign(cases.size(), 0);
    parallel_for(static_cast<int>(cases.size()), processors(), [&](int i) {
      r[i] = robust(std::log(simulated_ms(cases[i]->prepared, law) / cases[i]->measured), kOutlier) / kNoise;
    });
    for (std::size_t i = 0; i < v.size(); ++i) r.push_back((v[i] - prior[i]) / spread[i]);
  };
  return rounded_as_stored(unpack(least_squares(residuals, prior, 15), start));
}

std::vector<Prediction> predict(const ContentionLaw& law, std::span<const MeasuredCase* const> cases) {
  std::vector<Prediction> list;
  for (const MeasuredCase* c : cases) list.push_back({c->origin, c->mode, simulated_ms(c->prepared, law), c->measured});
  return list;
}

std::vector<ScheduleCase> recorded_cases(
    const Profile& profile, const std::function<std::shared_ptr<const Graph>(const ScheduleOrigin&)>& graph_of) {
  std::vector<ScheduleCase> cases;
  std::map<std::shared_ptr<const Graph>, std::shared_ptr<const Graph>> measured;
  std::map<ScheduleOrigin, int> candidates;
  for (const auto& [key, record] : profile.schedules()) {
    if (record.schedule.empty()) continue;
    if (record.origin.scheduler == kCandidate && ++candidates[record.origin] > kMostCandidates) continue;
    std::shared_ptr<const Graph> graph = graph_of(record.origin);
    if (!graph || fingerprint(*graph) != key.first) continue;
    std::shared_ptr<const Graph>& as_run = measured[graph];
    if (!as_run) as_run = measured_graph(*graph, profile);
    cases.push_back({as_run.get() == graph.get() ? graph : as_run, schedule_from_text(record.schedule)});
  }
  return cases;
}

std::vector<Prediction> compare_with_measured(const Profile& profile, const ContentionModel& model,
                                              std::span<const ScheduleCase> cases) {
  return predict(calibrated(model.contention_law(), profile), pointers(measured_cases(profile, model, cases)));
}

int calibrate(Profile& profile, const ContentionModel& model, std::span<const ScheduleCase> cases) {
  const std::vector<MeasuredCase> measured = measured_cases(profile, model, cases);
  if (measured.empty()) return 0;
  store_calibration(profile, fit_schedules(model.contention_law(), pointers(measured)));
  return static_cast<int>(measured.size());
}

ErrorStats error_stats(std::span<const Prediction> comparisons) {
  std::vector<double> predicted, measured;
  for (const Prediction& c : comparisons) {
    predicted.push_back(c.predicted);
    measured.push_back(c.measured);
  }
  return error_stats(predicted, measured);
}

}  // namespace opsched

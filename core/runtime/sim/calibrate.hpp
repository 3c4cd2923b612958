// Calibrates the simulator with measured schedules.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/cost/profile/recorded.hpp"
#include "core/runtime/sim/prepared.hpp"

namespace opsched {

/// A schedule and its graph; if it was measured, its latency is in the profile.
struct ScheduleCase {
  std::shared_ptr<const Graph> graph;
  Schedule schedule;
};

/// Of a measured schedule.
struct Prediction {
  ScheduleOrigin origin;
  Mode mode = Mode::barrier;
  double predicted = 0, measured = 0;  ///< ms
};

/// A measured schedule, ready to be simulated under many contention laws.
struct MeasuredCase {
  ScheduleOrigin origin;
  Mode mode = Mode::barrier;
  double measured = 0;  ///< ms
  PreparedSchedule prepared;
  const ScheduleCase* schedule;
};

/// The measured schedules stored completely in the profile. `graph_of`: returns the graph of a measurement, or
/// nullptr. If it differs from the measured one, the case is skipped. Graphs of the cases: as the device ran them
/// (measured_graph).
std::vector<ScheduleCase> recorded_cases(
    const Profile& profile, const std::function<std::shared_ptr<const Graph>(const ScheduleOrigin&)>& graph_of);

/// Every case that has a measurement in the profile, with latencies from the profile and the model. The cases must
/// outlive the result.
std::vector<MeasuredCase> measured_cases(const Profile& profile, const ContentionModel& model,
                                         std::span<const ScheduleCase> cases);
/// The law of `start` with the parameters that single stages do not show fitted to the cases, rounded as a profile
/// stores them; `start` if there are none.
ContentionLaw fit_schedules(const ContentionLaw& start, std::span<const MeasuredCase* const> cases);
std::vector<Prediction> predict(const ContentionLaw& law, std::span<const MeasuredCase* const> cases);

/// Simulates every case that has a measurement in the profile; others are skipped.
std::vector<Prediction> compare_with_measured(const Profile& profile, const ContentionModel& model,
                                              std::span<const ScheduleCase> cases);

/// Fits what single stages do not show (launch, dependences between streams, savings without barriers) to the measured
/// cases, and stores it in the profile. Without measured cases it changes nothing. Returns the number of cases used.
int calibrate(Profile& profile, const ContentionModel& model, std::span<const ScheduleCase> cases);

ErrorStats error_stats(std::span<const Prediction> comparisons);

}  // namespace opsched

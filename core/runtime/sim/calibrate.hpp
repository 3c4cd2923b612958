// What the simulator learns from measured schedules.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/cost/profile/recorded.hpp"

namespace opsched {

/// A schedule and its graph; the profile knows its latency if it was measured.
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

/// The measured schedules that the profile holds in full. `graph_of`: the graph of a measurement, or nullptr;
/// where it is not the one that was measured, the case is left out.
std::vector<ScheduleCase> recorded_cases(
    const Profile& profile, const std::function<std::shared_ptr<const Graph>(const ScheduleOrigin&)>& graph_of);

/// Simulates every case that the profile holds a measurement of; the others are left out.
std::vector<Prediction> compare_with_measured(const Profile& profile, const ContentionModel& model,
                                              std::span<const ScheduleCase> cases);

/// Fits what single stages do not show (the launch, dependences between streams, what is saved
/// without barriers) to the measured ones of the cases, and stores it in the profile. Without any
/// it changes nothing. Returns how many were used.
int calibrate(Profile& profile, const ContentionModel& model, std::span<const ScheduleCase> cases);

ErrorStats error_stats(std::span<const Prediction> comparisons);

}  // namespace opsched

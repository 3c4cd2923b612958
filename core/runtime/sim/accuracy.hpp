// Accuracy of the simulator on measurements that it has not seen.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/sim/calibrate.hpp"

namespace opsched {

/// A measured schedule, and predictions of simulators fitted without any schedule of its kind. All schedules that split
/// operators are of one kind, because those that `split` keeps resemble those that its search tried. Other candidates
/// of a search are of one kind if they are of one network. Any others are of one kind if they have the same scheduler
/// with the same options, on any network.
struct HeldOutSchedule {
  ScheduleOrigin origin;
  Mode mode = Mode::barrier;
  bool splits = false;  ///< does it split operators?
  double measured = 0;  ///< ms
  double replayed = 0;  ///< ms; stages that the profile holds are taken from it, as replays do
  double unseen = 0;    ///< ms; nor was any stage of several operators of that scheduler's schedules used
};

/// For two schedules of one network in one setting whose measured latencies differ enough: was their order predicted
/// correctly?
struct OrderedPairs {
  int right = 0, all = 0;
};

struct NetworkAccuracy {
  std::string network;
  ErrorStats stages;                          ///< of several operators, all of them this network's; each left out once
  ErrorStats replayed, unseen;                ///< schedules
  OrderedPairs replayed_pairs, unseen_pairs;  ///< differ by more than 2%
  /// Schedules, replayed by a simulator that was fitted to the schedules of the other networks only.
  ErrorStats other_networks;
};

/// The replayed schedules on one number of GPUs.
struct GpusAccuracy {
  int gpus = 1;
  bool splits = false;  ///< those that split operators, or all others
  ErrorStats replayed;
  OrderedPairs pairs;  ///< differ by more than the median error
};

struct Accuracy {
  FitReport fit;
  std::vector<HeldOutSchedule> schedules;
  std::vector<NetworkAccuracy> networks;  ///< in alphabetical order
  std::vector<GpusAccuracy> gpus;         ///< in ascending order; whole operators first
};

/// Fits the contention model five times, each time without a fifth of the stages (by hash of the signature), and twice
/// for every kind of schedules and every network, without its schedules. Takes half a minute for 20 000 stages and 300
/// schedules. `progress` is called with a status, and may throw to stop.
Accuracy measure_accuracy(const Profile& profile, std::span<const ScheduleCase> cases,
                          const std::function<void(const std::string&)>& progress = {});

}  // namespace opsched

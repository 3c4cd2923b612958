// The arena: every scheduler ranked on every case that a results folder has records of, as sure as the numbers are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/records/records.hpp"

namespace opsched {

/// A scheduler in a contest.
struct ArenaEntry {
  records::Case what;
  std::string schedule;  ///< fingerprint
  double ms = 0;
  Provenance provenance = Provenance::measured;
  double error = 0;     ///< part of `ms` by which it may be wrong
  double bound_ms = 0;  ///< lower bound of such schedules; 0: not known
  std::optional<double> search_seconds{};
  int rank = 0;  ///< 1 and as many as are surely faster
  bool predicted() const { return provenance != Provenance::measured; }
};

/// A scheduler whose schedule is not ranked, and why.
struct ArenaRefusal {
  records::Case what;
  std::string why;
};

/// Schedulers on one network, batch, image, precision and number of GPUs, on the GPU of a folder.
struct ArenaContest {
  std::vector<ArenaEntry> entries{};  ///< valid schedules, the fastest first
  std::vector<ArenaRefusal> refused{};
  double bound_ms = 0;  ///< the least of the entries' bounds; 0: not known
};

/// Which contests, of what the records have; empty: all.
struct ArenaFilter {
  std::vector<std::string> networks{}, precisions{};
  std::vector<int> batches{}, gpus{};
  bool accepts(const records::Case& what) const;
};

/// A scheduler with its options that takes part by a replay.
struct ArenaChallenger {
  std::string name;
  std::map<std::string, std::string> options{};
};

/// Finds and times schedules on the folder's profile (bench::replay_cases).
using ArenaReplay = std::function<std::vector<bench::Timed>(const std::vector<records::Case>&)>;

/// Part of a measured latency by which another process may measure another: what `opsched repeat` recorded of the
/// case, at least this where it recorded nothing.
inline constexpr double kProcessError = 0.01;
/// Part of a predicted latency by which it may be wrong where `opsched fit` recorded no error of the simulator.
inline constexpr double kUnknownError = 0.10;

/// Contests of a folder's records. Latencies are measured where a record holds the schedule, else predicted. Schedules
/// that validate() refuses, that are not kept, or that are of other kernels than the newest of their contest are named
/// and not ranked. Throws Error as ArenaReplay does.
std::vector<ArenaContest> arena(const records::Records& records, const ArenaFilter& filter,
                                const std::vector<ArenaChallenger>& challengers, const ArenaReplay& replay);

/// Sorts the entries and sets their ranks: two whose latencies differ by less than the larger of their errors, or that
/// are one schedule, are not told apart.
void rank(std::vector<ArenaEntry>& entries);

}  // namespace opsched

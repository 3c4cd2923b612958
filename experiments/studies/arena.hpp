// The arena: ranks every scheduler on every case that a results folder has records of, taking errors into account.
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
  double error = 0;     ///< possible error, as a fraction of `ms`
  double bound_ms = 0;  ///< lower bound for such schedules; 0: unknown
  std::optional<double> search_seconds{};
  int rank = 0;  ///< 1 plus the number of schedulers that are certainly faster
  bool predicted() const { return provenance != Provenance::measured; }
};

/// A scheduler whose schedule is not ranked, with the reason.
struct ArenaRefusal {
  records::Case what;
  std::string why;
};

/// Schedulers on one network, batch, image, precision and number of GPUs, on the GPU of a folder.
struct ArenaContest {
  std::vector<ArenaEntry> entries{};  ///< valid schedules, fastest first
  std::vector<ArenaRefusal> refused{};
  double bound_ms = 0;  ///< the smallest of the entries' bounds; 0: unknown
};

/// Which contests, of what the records have; empty: all.
struct ArenaFilter {
  std::vector<std::string> networks{}, precisions{};
  std::vector<int> batches{}, gpus{};
  bool accepts(const records::Case& what) const;
};

/// A scheduler with its options that takes part by a search on the profile.
struct ArenaChallenger {
  std::string name;
  std::map<std::string, std::string> options{};
};

/// Finds and times schedules on the folder's profile (bench::replay_cases).
using ArenaReplay = std::function<std::vector<bench::Timed>(const std::vector<records::Case>&)>;

/// Error of a measured latency between processes, as a fraction: recorded by `opsched repeat`, and at least this.
inline constexpr double kProcessError = 0.01;
/// Error of a predicted latency, as a fraction, if `opsched fit` recorded none.
inline constexpr double kUnknownError = 0.10;

/// Contests of a folder's records. Latencies are measured where a record holds the schedule, else predicted. Schedules
/// that validate() refuses, that are not kept, or that are of other kernels than the newest of their contest are named
/// and not ranked. Throws Error as ArenaReplay does.
std::vector<ArenaContest> arena(const records::Records& records, const ArenaFilter& filter,
                                const std::vector<ArenaChallenger>& challengers, const ArenaReplay& replay);

/// Sorts the entries and sets their ranks: two are tied if their latencies differ by less than the larger of their
/// errors, or if they are the same schedule.
void rank(std::vector<ArenaEntry>& entries);

}  // namespace opsched

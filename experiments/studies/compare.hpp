// Compares two results folders.
#pragma once

#include <string>
#include <vector>

#include "experiments/device/device.hpp"
#include "experiments/records/records.hpp"

namespace opsched::compare {

using records::Record;

/// A case in both folders.
struct Pair {
  Record a, b;
  std::string mark;  ///< why they are not comparable: other kernels, another provenance; empty: they are
  /// Speed-up of B.
  double ratio() const { return *a.value / *b.value; }
};

/// The fastest scheduler of each folder, among the schedulers that both hold, on one graph, precision and
/// device count. Marked pairs take no part.
struct Best {
  Record a, b;
  double a_choice_on_b_ms = 0;  ///< B's latency under A's scheduler (searched for on B)
  bool differs() const { return a.what.scheduler != b.what.scheduler; }
};

/// A's fastest schedule, run on B's device, compared with B's fastest.
struct Transplant {
  Record a, b;
  double ms = 0;  ///< A's schedule on B
  Provenance provenance = Provenance::measured;
  std::string unavailable;  ///< why there is no number; empty: there is
};

struct Comparison {
  std::string folder_a, folder_b;
  records::Records a, b;
  std::string origin_a{}, origin_b{};  ///< of the run that most of the records are of
  std::string device_b{};
  std::vector<Pair> pairs{};
  std::vector<Best> best{};
  std::vector<Transplant> transplants{};
  int only_a = 0, only_b = 0;  ///< cases that only one of them holds
};

/// The latencies of schedules and of other software that the records of two folders hold. Throws Error naming the
/// folder where there is none, or where they have no case in common. `transplants` stays empty.
Comparison compare_folders(const std::string& a, const std::string& b);

/// Runs A's fastest schedules, which its records must contain, on B's device: measured now if `device` is a GPU,
/// otherwise recorded in or simulated from B's profiles.
void transplant(Comparison& comparison, Device& device, const Report& report);

std::string to_json(const Comparison& comparison);

}  // namespace opsched::compare

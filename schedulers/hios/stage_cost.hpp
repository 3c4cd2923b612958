// Latencies of stages of a HiosProblem, fast enough for a search.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/cost/synthetic.hpp"
#include "schedulers/hios/problem.hpp"

namespace opsched {

/// Latency of a set of operators as one concurrent stage. Dependent operators form a group, which runs in ascending
/// order; all others run concurrently. Results of the cost model are cached; synthetic costs are computed here, by the
/// same formula.
class StageCost {
 public:
  /// `estimate`: use estimates instead of measurements until a latency is confirmed.
  explicit StageCost(const HiosProblem& problem, bool estimate = false);

  /// ms; `ops` are numbers of the problem, in any order.
  double operator()(std::span<const int> ops);
  /// From now on, returns the model's own value, measured if necessary. Returns whether it differs from the previous
  /// one.
  bool confirm(std::span<const int> ops);
  bool estimates() const { return estimate_; }
  /// The stage itself.
  Stage stage(std::span<const int> ops);

 private:
  /// Sets group_[i] of every operator to the smallest index of its group.
  void find_groups(std::span<const int> ops);
  double synthetic(std::span<const int> ops);
  double checked(double ms, const Stage& stage) const;

  struct Hash {
    std::size_t operator()(const std::vector<int>& ops) const;
  };
  const HiosProblem* problem_;
  bool estimate_, is_synthetic_;
  std::vector<double> busy_;  ///< t * u, synthetic only
  std::vector<int> group_, key_;
  std::vector<double> length_;
  std::unordered_map<std::vector<int>, double, Hash> known_;
};

}  // namespace opsched

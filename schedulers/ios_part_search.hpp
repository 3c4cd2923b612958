// One part during a search: its space and what is known of its stages.
#pragma once

#include <vector>

#include "schedulers/ios_residual.hpp"
#include "schedulers/ios_space.hpp"

namespace opsched {

class IosPartSearch {
 public:
  /// Asks for every stage that the model knows, and for estimates of the others.
  IosPartSearch(IosPart part, CostModel& cost, const IosOptions& options);

  const IosSpace& space() const { return space_; }
  bool known(int stage) const { return known_[stage]; }
  std::int64_t known_count() const { return known_count_; }
  /// stage_ms of a stage that was not known.
  void learn(int stage, double ms);

  /// Asks for the estimates again: they may have improved.
  void estimate(CostModel& cost);

  /// Best schedule if every unknown stage takes its corrected estimate, `deviations` up.
  IosSpace::Path solve(double deviations);
  /// Best schedule of known stages only; infinite if there is none.
  IosSpace::Path solve_known() const;
  /// How many unknown stages are on a schedule shorter than `ms` when unknown ones take their
  /// corrected estimate, `deviations` up: a bound of what is left to ask.
  std::int64_t candidates(double deviations, double ms);

 private:
  std::vector<double> latencies(double deviations);
  /// Shows the residual model a known stage and what was estimated for it.
  void teach(int stage, double estimate);

  IosSpace space_;
  std::vector<double> ms_;     ///< latency if known, else the estimate
  std::vector<double> lower_;  ///< lower bound of an unknown stage; empty if all are known
  std::vector<char> known_;
  std::int64_t known_count_ = 0;
  ResidualModel residual_;
  bool taught_ = false;  ///< since the last fit
};

}  // namespace opsched

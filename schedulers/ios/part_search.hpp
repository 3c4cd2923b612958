// One part during a search: its space, what is known about its stages, and which to measure next.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "schedulers/ios/kinds.hpp"
#include "schedulers/ios/residual.hpp"
#include "schedulers/ios/space.hpp"

namespace opsched {

class IosPartSearch {
 public:
  /// Queries every stage that the model knows.
  IosPartSearch(IosPart part, CostModel& cost, const IosOptions& options);

  const IosSpace& space() const { return space_; }
  bool known(int stage) const { return known_[stage]; }
  std::int64_t known_count() const { return known_count_; }
  /// stage_ms of a previously unknown stage, and of equal stages.
  void learn(int stage, double ms);
  /// Unequal stages that learn() was told.
  std::int64_t learned_count() const { return learned_count_; }

  /// Queries the estimates again, because they may have improved.
  void estimate();

  /// The unknown stages of the best schedule when unknown stages cost their corrected estimate plus `deviations`
  /// standard deviations. Empty if that schedule does not beat the best schedule of known stages by more than the
  /// tolerance.
  std::vector<int> wanted(double deviations, double tolerance);
  /// Approximate number of further stages that wanted() may request.
  std::int64_t left() const { return static_cast<std::int64_t>(near_stages_.size()); }

  /// Best schedule if every unknown stage costs its corrected estimate plus `deviations` standard deviations.
  IosTransitions::Path solve(double deviations);
  /// Best schedule of known stages only; infinite if there is none.
  IosTransitions::Path solve_known() const;
  /// Latency of that path at the last call of wanted(); infinite: there was none.
  double known_best() const { return known_best_; }

 private:
  std::span<const int> classes(int stage);
  bool merged(int stage) const;
  /// Latency of a kind whose stages are unknown, plus `deviations` standard deviations.
  double guess(int kind, double deviations);
  std::vector<double> latencies(double deviations);
  /// Adds a known stage to the residual model.
  void teach(int stage);
  void prepare_guesses();
  /// Extracts the transitions on short schedules. Stages are requested from this set until others might be better.
  void narrow(double deviations);

  CostModel* cost_;
  IosSpace space_;
  std::vector<int> class_;  ///< class of equal signatures, by vertex
  std::optional<IosKinds> kinds_;
  std::vector<double> estimate_, lower_;  ///< by kind; empty until they are needed
  std::vector<double> ms_;                ///< latency of a known stage
  std::vector<char> known_;
  std::vector<int> known_list_;
  std::int64_t known_count_ = 0, learned_count_ = 0;
  std::optional<ResidualModel> residual_;
  bool taught_ = false;  ///< since the last fit
  std::vector<int> classes_;

  double known_best_;  ///< the shortest schedule of known stages seen so far
  bool narrowed_ = false;
  double near_limit_ = 0;  ///< schedules below it lie within near_
  IosTransitions near_;    ///< stages are indices into near_stages_
  std::vector<int> near_stages_;
};

}  // namespace opsched

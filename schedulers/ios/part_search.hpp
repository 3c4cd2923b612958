// One part during a search: its space, what is known of its stages, and which to ask for next.
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
  /// Asks for every stage that the model knows.
  IosPartSearch(IosPart part, CostModel& cost, const IosOptions& options);

  const IosSpace& space() const { return space_; }
  bool known(int stage) const { return known_[stage]; }
  std::int64_t known_count() const { return known_count_; }
  /// stage_ms of a stage that was not known; and of others among those at hand that equal it.
  void learn(int stage, double ms);

  /// Asks for the estimates again: they may have improved.
  void estimate();

  /// The unknown stages of the best schedule if unknown ones take their corrected estimate,
  /// `deviations` up. None if that schedule is not better by more than the tolerance than the best one
  /// of known stages.
  std::vector<int> wanted(double deviations, double tolerance);
  /// How many more stages wanted() may ask for, about.
  std::int64_t left() const { return static_cast<std::int64_t>(near_stages_.size()); }

  /// Best schedule if every unknown stage takes its corrected estimate, `deviations` up.
  IosTransitions::Path solve(double deviations);
  /// Best schedule of known stages only; infinite if there is none.
  IosTransitions::Path solve_known() const;
  /// Latency of that path when wanted() was last called; infinite: there was none.
  double known_best() const { return known_best_; }

 private:
  std::span<const int> classes(int stage);
  bool merged(int stage) const;
  /// Latency of a kind whose stages are unknown, `deviations` up.
  double guess(int kind, double deviations);
  std::vector<double> latencies(double deviations);
  /// Shows the residual model a known stage.
  void teach(int stage);
  void prepare_guesses();
  /// Keeps the transitions that are on short schedules: from there stages are asked for, until it
  /// seems that others might be better.
  void narrow(double deviations);

  CostModel* cost_;
  IosSpace space_;
  std::vector<int> class_;  ///< of a vertex: alike in signature
  std::optional<IosKinds> kinds_;
  std::vector<double> estimate_, lower_;  ///< by kind; empty until they are needed
  std::vector<double> ms_;                ///< latency of a known stage
  std::vector<char> known_;
  std::vector<int> known_list_;
  std::int64_t known_count_ = 0;
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

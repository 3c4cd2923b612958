// Errors of a cost model's stage estimates, learned from known stages: log(latency / estimate) by Bayesian linear
// regression.
#pragma once

#include <memory>
#include <span>
#include <vector>

namespace opsched {

/// Features of a stage: whether it is merged or a single operator, the logarithm of its size, and which operators take
/// part; similar operators form a class.
class ResidualModel {
 public:
  /// `most`: maximum number of operators in a stage.
  ResidualModel(int classes, int most);
  ResidualModel(ResidualModel&&) noexcept;
  ResidualModel& operator=(ResidualModel&&) noexcept;
  ~ResidualModel();

  /// `classes`: of the stage's operators, in any order.
  void add(std::span<const int> classes, bool merged, double log_ratio);
  /// Updates the fit with the added stages.
  void fit();
  /// Expected log(latency / estimate), as of the last fit.
  double mean(std::span<const int> classes, bool merged) const {
    double own = 0;
    for (int c : classes) own += class_[c];
    return by_size_[classes.size()] + own / static_cast<double>(classes.size()) + (merged ? merged_ : 0);
  }
  /// Spread of single stages around the mean.
  double deviation() const { return deviation_; }

 private:
  struct Sums;
  std::unique_ptr<Sums> sums_;
  // The fit, spread out for mean().
  std::vector<double> by_size_, class_;
  double merged_ = 0, deviation_;
};

}  // namespace opsched

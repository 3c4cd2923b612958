// How far a cost model's estimates of stages are from their latencies, learnt from those that are
// known: log(latency / estimate) by Bayesian linear regression.
#pragma once

#include <memory>
#include <span>
#include <vector>

namespace opsched {

/// A stage is described by whether it is merged or a single operator, the logarithm of its size, and
/// which operators take part; operators that are alike count as one class.
class ResidualModel {
 public:
  /// `most`: operators of a stage.
  ResidualModel(int classes, int most);
  ResidualModel(ResidualModel&&) noexcept;
  ResidualModel& operator=(ResidualModel&&) noexcept;
  ~ResidualModel();

  /// `classes`: of the stage's operators, in any order.
  void add(std::span<const int> classes, bool merged, double log_ratio);
  /// Takes what was added into account.
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

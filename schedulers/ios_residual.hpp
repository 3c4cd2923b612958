// How far a cost model's estimates of stages are from their latencies, learnt from those that are
// known: log(latency / estimate) by Bayesian linear regression.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "schedulers/ios_space.hpp"

namespace opsched {

/// For the stages of one part. A stage is described by whether it is merged or a single operator,
/// the logarithm of its size, and which operators take part.
class ResidualModel {
 public:
  explicit ResidualModel(int vertices);
  ResidualModel(ResidualModel&&) noexcept;
  ResidualModel& operator=(ResidualModel&&) noexcept;
  ~ResidualModel();

  void add(const IosSpace& space, int stage, double log_ratio);
  /// Takes what was added into account.
  void fit();
  /// Expected log(latency / estimate), as of the last fit.
  double mean(const IosSpace& space, int stage) const {
    double own = 0;
    int size = 0;
    space.each_vertex(stage, [&](int v) {
      own += vertex_[v];
      ++size;
    });
    const bool merged = space.strategy(stage) == Strategy::merge && size > 1;
    return by_size_[size] + own / size + (merged ? merged_ : 0);
  }
  /// Spread of single stages around the mean.
  double deviation() const { return deviation_; }

 private:
  struct Sums;
  std::unique_ptr<Sums> sums_;
  // The fit, spread out for mean().
  std::vector<double> by_size_, vertex_;
  double merged_ = 0, deviation_;
};

}  // namespace opsched

// Smooth regression from few samples, for latencies of unmeasured operators.
#pragma once

#include <vector>

namespace opsched {

/// A linear trend, plus an interpolation of its residuals at the nearest samples (kriging: a Gaussian process with
/// squared-exponential covariance). All feature vectors have the same length.
class Regression {
 public:
  /// Stores the samples. Without samples, predict() returns 0.
  Regression(std::vector<std::vector<double>> features, std::vector<double> values);

  double predict(const std::vector<double>& features) const;

 private:
  struct Nearest;
  Nearest nearest(const std::vector<double>& at, std::ptrdiff_t skip) const;
  void choose_length_and_noise();
  std::vector<double> scaled(const std::vector<double>& features) const;
  double trend(const std::vector<double>& at) const;

  std::vector<std::vector<double>> samples_;  ///< scaled: mean 0, variance 1
  std::vector<double> mean_, scale_, slope_, rest_;
  double base_ = 0, length_ = 1, noise_ = 0.1;
};

}  // namespace opsched

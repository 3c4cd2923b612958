// Smooth regression from few samples, for latencies of operators that were never measured.
#pragma once

#include <vector>

namespace opsched {

/// A linear trend, plus what the nearest samples have left over of it (kriging: a Gaussian process
/// of squared-exponential covariance over the nearest samples). Feature vectors have one length.
class Regression {
 public:
  /// Keeps the samples. Without samples predict() is 0.
  Regression(std::vector<std::vector<double>> features, std::vector<double> values);

  double predict(const std::vector<double>& features) const;

 private:
  double krige(const std::vector<double>& at, std::ptrdiff_t skip, double length, double noise) const;
  std::vector<double> scaled(const std::vector<double>& features) const;
  double trend(const std::vector<double>& at) const;

  std::vector<std::vector<double>> samples_;  ///< scaled: mean 0, variance 1
  std::vector<double> mean_, scale_, slope_, rest_;
  double base_ = 0, length_ = 1, noise_ = 0.1;
};

}  // namespace opsched

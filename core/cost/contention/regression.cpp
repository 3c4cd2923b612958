#include "core/cost/contention/regression.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace opsched {
namespace {

constexpr std::size_t kNeighbours = 24;

double distance2(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

/// The samples nearest to a point.
struct Regression::Nearest {
  Eigen::MatrixXd between;  ///< squared distances, or covariances, of the samples; lower triangle
  Eigen::VectorXd to;       ///< of the point and each sample
  Eigen::VectorXd rest;     ///< what the trend does not explain

  Nearest covariance(double length) const {
    const auto of = [&](double squared) { return std::exp(-squared / (2 * length * length)); };
    Nearest result = *this;
    for (Eigen::Index i = 0; i < to.size(); ++i) {
      result.to[i] = of(to[i]);
      for (Eigen::Index j = 0; j <= i; ++j) result.between(i, j) = of(between(i, j));
    }
    return result;
  }

  /// Of covariances.
  double interpolate(double noise) const {
    if (to.size() == 0) return 0;
    Eigen::MatrixXd gram = between;
    gram.diagonal().array() += noise;
    return to.dot(gram.selfadjointView<Eigen::Lower>().llt().solve(rest));
  }
};

Regression::Regression(std::vector<std::vector<double>> features, std::vector<double> values) {
  if (features.empty()) return;
  const std::size_t n = features.size(), d = features.front().size();
  mean_.assign(d, 0);
  scale_.assign(d, 0);
  for (const auto& row : features)
    for (std::size_t j = 0; j < d; ++j) mean_[j] += row[j] / static_cast<double>(n);
  for (const auto& row : features)
    for (std::size_t j = 0; j < d; ++j) scale_[j] += (row[j] - mean_[j]) * (row[j] - mean_[j]) / static_cast<double>(n);
  for (double& scale : scale_) scale = std::max(std::sqrt(scale), 1e-3);
  for (const auto& row : features) samples_.push_back(scaled(row));

  // The trend, with a ridge penalty that excludes features with little variation.
  Eigen::MatrixXd normal = Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(d));
  Eigen::VectorXd right = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(d));
  for (double value : values) base_ += value / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Eigen::Map<const Eigen::VectorXd> x(samples_[i].data(), static_cast<Eigen::Index>(d));
    normal += x * x.transpose();
    right += x * (values[i] - base_);
  }
  const Eigen::VectorXd slope = normal.ldlt().solve(right);
  slope_.assign(slope.data(), slope.data() + d);
  for (std::size_t i = 0; i < n; ++i) rest_.push_back(values[i] - trend(samples_[i]));

  choose_length_and_noise();
}

/// Those that best predict held-out samples.
void Regression::choose_length_and_noise() {
  constexpr std::array kLengths{0.5, 1.0, 2.0, 4.0};
  constexpr std::array kNoises{0.01, 0.05, 0.25};
  std::array<std::array<double, kNoises.size()>, kLengths.size()> error{};
  const std::size_t n = samples_.size(), stride = 1 + n / 200;
  for (std::size_t i = 0; i < n; i += stride) {
    const Nearest near = nearest(samples_[i], static_cast<std::ptrdiff_t>(i));
    for (std::size_t l = 0; l < kLengths.size(); ++l) {
      const Nearest covariance = near.covariance(kLengths[l]);
      for (std::size_t m = 0; m < kNoises.size(); ++m)
        error[l][m] += std::abs(covariance.interpolate(kNoises[m]) - rest_[i]);
    }
  }
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t l = 0; l < kLengths.size(); ++l)
    for (std::size_t m = 0; m < kNoises.size(); ++m)
      if (error[l][m] < best) {
        best = error[l][m];
        length_ = kLengths[l];
        noise_ = kNoises[m];
      }
}

std::vector<double> Regression::scaled(const std::vector<double>& features) const {
  std::vector<double> row(features.size());
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = (features[j] - mean_[j]) / scale_[j];
  return row;
}

double Regression::trend(const std::vector<double>& at) const {
  double sum = base_;
  for (std::size_t j = 0; j < at.size(); ++j) sum += slope_[j] * at[j];
  return sum;
}

Regression::Nearest Regression::nearest(const std::vector<double>& at, std::ptrdiff_t skip) const {
  std::vector<std::pair<double, std::size_t>> near;
  near.reserve(samples_.size());
  for (std::size_t i = 0; i < samples_.size(); ++i)
    if (static_cast<std::ptrdiff_t>(i) != skip) near.emplace_back(distance2(at, samples_[i]), i);
  const std::size_t k = std::min(kNeighbours, near.size());
  if (k > 0) std::ranges::nth_element(near, near.begin() + static_cast<std::ptrdiff_t>(k - 1));
  const auto size = static_cast<Eigen::Index>(k);
  Nearest found{Eigen::MatrixXd(size, size), Eigen::VectorXd(size), Eigen::VectorXd(size)};
  for (std::size_t i = 0; i < k; ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    found.to[row] = near[i].first;
    found.rest[row] = rest_[near[i].second];
    for (std::size_t j = 0; j <= i; ++j)
      found.between(row, static_cast<Eigen::Index>(j)) = distance2(samples_[near[i].second], samples_[near[j].second]);
  }
  return found;
}

double Regression::predict(const std::vector<double>& features) const {
  if (samples_.empty()) return 0;
  const std::vector<double> at = scaled(features);
  return trend(at) + nearest(at, -1).covariance(length_).interpolate(noise_);
}

}  // namespace opsched

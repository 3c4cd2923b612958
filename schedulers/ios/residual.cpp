#include "schedulers/ios/residual.hpp"

#include <Eigen/Cholesky>
#include <cmath>

namespace opsched {
namespace {

// Indices of the coefficients.
constexpr int kBias = 0, kMerged = 1, kSize = 2, kSingle = 3, kFirstClass = 4;
// Prior: a spread of 20%, with the weight of two stages; a bias of up to a half; other coefficients of about 15%.
constexpr double kPriorDeviation = 0.2, kPriorWeight = 2, kBiasScale = 0.5, kScale = 0.15;
constexpr int kRefinements = 3;  // coefficients and spread depend on each other

}  // namespace

struct ResidualModel::Sums {
  Eigen::MatrixXd squares;   // sum of x x^T
  Eigen::VectorXd products;  // sum of x y
  double y_squares = 0;
  int count = 0;
};

ResidualModel::ResidualModel(int classes, int most)
    : sums_(std::make_unique<Sums>()), by_size_(most + 1), class_(classes), deviation_(kPriorDeviation) {
  sums_->squares = Eigen::MatrixXd::Zero(kFirstClass + classes, kFirstClass + classes);
  sums_->products = Eigen::VectorXd::Zero(kFirstClass + classes);
}

ResidualModel::ResidualModel(ResidualModel&&) noexcept = default;
ResidualModel& ResidualModel::operator=(ResidualModel&&) noexcept = default;
ResidualModel::~ResidualModel() = default;

void ResidualModel::add(std::span<const int> classes, bool merged, double log_ratio) {
  const auto size = static_cast<double>(classes.size());
  Eigen::VectorXd x = Eigen::VectorXd::Zero(sums_->products.size());
  x[kBias] = 1;
  x[kMerged] = merged;
  x[kSize] = std::log(size);
  x[kSingle] = classes.size() == 1;
  for (int c : classes) x[kFirstClass + c] += 1 / size;
  sums_->squares += x * x.transpose();
  sums_->products += x * log_ratio;
  sums_->y_squares += log_ratio * log_ratio;
  ++sums_->count;
}

void ResidualModel::fit() {
  const Sums& s = *sums_;
  double variance = deviation_ * deviation_;
  Eigen::VectorXd w;
  for (int i = 0; i < kRefinements; ++i) {
    Eigen::MatrixXd regular = s.squares;
    regular.diagonal().array() += variance / (kScale * kScale);
    regular(kBias, kBias) = s.squares(kBias, kBias) + variance / (kBiasScale * kBiasScale);
    w = regular.ldlt().solve(s.products);
    const double misfit = s.y_squares - 2 * w.dot(s.products) + w.dot(s.squares * w);
    variance = (std::max(misfit, 0.0) + kPriorWeight * kPriorDeviation * kPriorDeviation) / (s.count + kPriorWeight);
  }
  deviation_ = std::sqrt(variance);
  merged_ = w[kMerged];
  for (std::size_t c = 0; c < class_.size(); ++c) class_[c] = w[kFirstClass + static_cast<Eigen::Index>(c)];
  for (std::size_t n = 1; n < by_size_.size(); ++n)
    by_size_[n] = w[kBias] + w[kSize] * std::log(static_cast<double>(n)) + (n == 1 ? w[kSingle] : 0);
}

}  // namespace opsched

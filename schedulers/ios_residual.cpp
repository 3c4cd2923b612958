#include "schedulers/ios_residual.hpp"

#include <Eigen/Cholesky>

namespace opsched {
namespace {

// Coefficients.
constexpr int kBias = 0, kMerged = 1, kSize = 2, kSingle = 3, kFirstVertex = 4;
// Before anything is known: a spread of 20%, worth as much as two stages; a bias of up to a half;
// other coefficients of about 15%.
constexpr double kPriorDeviation = 0.2, kPriorWeight = 2, kBiasScale = 0.5, kScale = 0.15;
constexpr int kRefinements = 3;  // coefficients and spread depend on each other

}  // namespace

struct ResidualModel::Sums {
  Eigen::MatrixXd squares;   // of x x^T
  Eigen::VectorXd products;  // of x y
  double y_squares = 0;
  int count = 0;
};

ResidualModel::ResidualModel(int vertices)
    : sums_(std::make_unique<Sums>()), by_size_(vertices + 1), vertex_(vertices), deviation_(kPriorDeviation) {
  sums_->squares = Eigen::MatrixXd::Zero(kFirstVertex + vertices, kFirstVertex + vertices);
  sums_->products = Eigen::VectorXd::Zero(kFirstVertex + vertices);
}

ResidualModel::ResidualModel(ResidualModel&&) noexcept = default;
ResidualModel& ResidualModel::operator=(ResidualModel&&) noexcept = default;
ResidualModel::~ResidualModel() = default;

void ResidualModel::add(const IosSpace& space, int stage, double log_ratio) {
  const std::vector<int> vertices = space.vertices(stage);
  const auto size = static_cast<double>(vertices.size());
  Eigen::VectorXd x = Eigen::VectorXd::Zero(sums_->products.size());
  x[kBias] = 1;
  x[kMerged] = space.strategy(stage) == Strategy::merge && vertices.size() > 1;
  x[kSize] = std::log(size);
  x[kSingle] = vertices.size() == 1;
  for (int v : vertices) x[kFirstVertex + v] = 1 / size;
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
  for (std::size_t v = 0; v < vertex_.size(); ++v) vertex_[v] = w[kFirstVertex + static_cast<Eigen::Index>(v)];
  for (std::size_t n = 1; n < by_size_.size(); ++n)
    by_size_[n] = w[kBias] + w[kSize] * std::log(static_cast<double>(n)) + (n == 1 ? w[kSingle] : 0);
}

}  // namespace opsched

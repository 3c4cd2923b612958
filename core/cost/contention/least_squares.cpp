#include "core/cost/contention/least_squares.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace opsched {

std::vector<double> least_squares(
    const std::function<void(const std::vector<double>& parameters, std::vector<double>& residuals)>& residuals,
    std::vector<double> start, int max_iterations) {
  const Eigen::Index n = static_cast<Eigen::Index>(start.size());
  std::vector<double> x = std::move(start), r, shifted;
  residuals(x, r);
  const Eigen::Index m = static_cast<Eigen::Index>(r.size());
  const auto vector = [](const std::vector<double>& v) {
    return Eigen::Map<const Eigen::VectorXd>(v.data(), static_cast<Eigen::Index>(v.size()));
  };
  double cost = vector(r).squaredNorm(), damping = 1e-2;
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    Eigen::MatrixXd jacobian(m, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      std::vector<double> moved = x;
      const double step = 1e-5 * std::max(1.0, std::abs(x[j]));
      moved[j] += step;
      residuals(moved, shifted);
      jacobian.col(j) = (vector(shifted) - vector(r)) / step;
    }
    const Eigen::MatrixXd normal = jacobian.transpose() * jacobian;
    const Eigen::VectorXd gradient = jacobian.transpose() * vector(r);
    bool better = false;
    double gain = 0;
    for (int attempt = 0; attempt < 8 && !better; ++attempt) {
      Eigen::MatrixXd damped = normal;
      damped.diagonal() += damping * (normal.diagonal().array() + 1e-9).matrix();
      const Eigen::VectorXd step = damped.ldlt().solve(gradient);
      std::vector<double> next = x;
      for (Eigen::Index j = 0; j < n; ++j) next[j] -= step[j];
      residuals(next, shifted);
      const double next_cost = vector(shifted).squaredNorm();
      better = std::isfinite(next_cost) && next_cost < cost;
      damping = better ? std::max(damping / 5, 1e-9) : damping * 5;
      if (better) {
        gain = (cost - next_cost) / cost;
        x = std::move(next);
        std::swap(r, shifted);
        cost = next_cost;
      }
    }
    if (!better || gain < 1e-5) break;
  }
  return x;
}

double robust(double residual, double width) {
  const double size = std::abs(residual);
  return size <= width ? residual : std::copysign(std::sqrt(width * (2 * size - width)), residual);
}

}  // namespace opsched

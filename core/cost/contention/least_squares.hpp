// Non-linear least squares for the small fits of this folder.
#pragma once

#include <functional>
#include <vector>

namespace opsched {

/// Parameters that minimise the sum of squares of `residuals`, by the Levenberg-Marquardt method with a numeric
/// Jacobian. The number of residuals must be constant and at least one.
std::vector<double> least_squares(
    const std::function<void(const std::vector<double>& parameters, std::vector<double>& residuals)>& residuals,
    std::vector<double> start, int max_iterations = 40);

/// A residual whose square grows only linearly beyond `width` (Huber), to limit the influence of outliers.
double robust(double residual, double width);

}  // namespace opsched

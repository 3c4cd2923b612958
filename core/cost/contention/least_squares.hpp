// Non-linear least squares for the small fits of this folder.
#pragma once

#include <functional>
#include <vector>

namespace opsched {

/// Parameters that make the sum of squares of `residuals` small: Levenberg and Marquardt's method with
/// a numeric Jacobian. Wants a number of residuals that does not change, and at least one.
std::vector<double> least_squares(
    const std::function<void(const std::vector<double>& parameters, std::vector<double>& residuals)>& residuals,
    std::vector<double> start, int max_iterations = 40);

/// A residual whose square grows linearly beyond `width` (Huber), so that outliers pull little.
double robust(double residual, double width);

}  // namespace opsched

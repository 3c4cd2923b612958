#include "experiments/studies/confidence.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

#include "core/error.hpp"

namespace opsched {

Band confidence_band(std::span<const double> sample) {
  if (sample.empty()) throw Error("an empty sample has no mean");
  const double n = static_cast<double>(sample.size());
  double mean = 0, squares = 0;
  for (double value : sample) mean += value / n;
  for (double value : sample) squares += (value - mean) * (value - mean);
  if (sample.size() == 1) return {mean, mean, mean};
  const boost::math::students_t distribution(n - 1);
  const double half = boost::math::quantile(distribution, 0.975) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

}  // namespace opsched

#include "core/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace opsched {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) throw Error("no values, so there is no quantile");
  if (!(q >= 0 && q <= 1)) throw Error("a quantile must be between 0 and 1");
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= values.size()) return values.back();
  return std::lerp(values[below], values[below + 1], at - static_cast<double>(below));
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

}  // namespace opsched

#include "core/cost/contention/error_stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include "core/statistics.hpp"

namespace opsched {
namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t j = i; j < end; ++j) rank[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return rank;
}

}  // namespace

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  if (a.size() < 3) return 1;
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = static_cast<double>(x.size() - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

ErrorStats error_stats(std::span<const double> predicted, std::span<const double> measured) {
  ErrorStats stats;
  stats.count = static_cast<int>(measured.size());
  if (measured.empty()) return stats;
  std::vector<double> error, size;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    error.push_back(predicted[i] / measured[i] - 1);
    size.push_back(std::abs(error.back()));
  }
  stats.median = quantile(size, 0.5);
  stats.p90 = quantile(size, 0.9);
  stats.worst = *std::ranges::max_element(size);
  stats.bias = quantile(error, 0.5);
  stats.rank = rank_correlation(predicted, measured);
  return stats;
}

std::string to_string(const ErrorStats& s) {
  if (s.count == 0) return "none";
  char text[128];
  std::snprintf(text, sizeof text, "median %.1f%%, 90%% below %.1f%%, bias %+.1f%%, rank %.3f (%d)", 100 * s.median,
                100 * s.p90, 100 * s.bias, s.rank, s.count);
  return text;
}

}  // namespace opsched

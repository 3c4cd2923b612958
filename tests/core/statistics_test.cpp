// Medians and quantiles, compared with sorting.
#include "core/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/error.hpp"

namespace opsched {
namespace {

TEST(Statistics, AreThoseOfTheSortedSample) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<double> sample(1 + random() % 20);
    for (double& value : sample) value = static_cast<double>(random() % 10);
    std::vector<double> sorted = sample;
    std::ranges::sort(sorted);
    const std::size_t n = sorted.size();
    EXPECT_EQ(median(sample), 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]));
    for (const double q : {0.0, 0.1, 0.5, 0.9, 1.0}) {
      // Linear interpolation between the neighbours in sorted order.
      const double rank = q * static_cast<double>(n - 1), part = rank - std::floor(rank);
      const double low = sorted[std::floor(rank)], high = sorted[std::ceil(rank)];
      EXPECT_NEAR(quantile(sample, q), low + part * (high - low), 1e-12);
    }
  }
}

TEST(Statistics, OfNothingAreErrors) {
  EXPECT_THROW(median({}), Error);
  EXPECT_THROW(quantile({}, 0.5), Error);
  EXPECT_THROW(quantile({1}, 1.5), Error);
}

}  // namespace
}  // namespace opsched

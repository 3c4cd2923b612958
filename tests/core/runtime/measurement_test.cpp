// Statistics of repeated runs, and when to stop repeating.
#include "core/runtime/measurement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/error.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

TEST(Measurement, QuantilesAreInterpolatedBetweenNeighbours) {
  const std::vector<double> values{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.99), 7);
  EXPECT_DOUBLE_EQ(median({5, 1, 9}), 5);
  EXPECT_THROW(quantile({}, 0.5), Error);
  EXPECT_THROW(summarise({}), Error);
}

TEST(Measurement, SummarisesItsRuns) {
  std::vector<double> ms;
  for (int i = 0; i <= 100; ++i) ms.push_back(i);
  std::shuffle(ms.begin(), ms.end(), std::mt19937(1));
  const Measurement m = summarise(ms);
  EXPECT_DOUBLE_EQ(m.median, 50);
  EXPECT_DOUBLE_EQ(m.mean, 50);
  EXPECT_DOUBLE_EQ(m.min, 0);
  EXPECT_DOUBLE_EQ(m.max, 100);
  EXPECT_DOUBLE_EQ(m.p90, 90);
  EXPECT_DOUBLE_EQ(m.p99, 99);
  EXPECT_NEAR(m.stddev, 29.3002, 1e-4);
  EXPECT_DOUBLE_EQ(m.mad_ratio, 0.5);
  EXPECT_EQ(m.runs, 101);
}

TEST(Measurement, OneRunHasNoSpread) {
  const Measurement m = summarise({2});
  EXPECT_EQ(m.median, 2);
  EXPECT_EQ(m.p99, 2);
  EXPECT_EQ(m.stddev, 0);
  EXPECT_EQ(m.mad_ratio, 0);
}

TEST(Measurement, MedianErrorIsThatOfManyMedians) {
  std::mt19937 random(2);
  std::normal_distribution<double> run(10, 1);
  std::vector<double> medians;
  double said = 0;
  constexpr int kTimes = 400, kRuns = 200;
  for (int t = 0; t < kTimes; ++t) {
    std::vector<double> ms(kRuns);
    for (double& x : ms) x = run(random);
    const Measurement m = summarise(ms);
    medians.push_back(m.median);
    said += median_error(m) * m.median / kTimes;
  }
  EXPECT_NEAR(said / summarise(medians).stddev, 1, 0.15);
}

TEST(Measurement, StopsWhenTheMedianIsKnown) {
  std::mt19937 random(3);
  const auto runs_for = [&](double deviation, const MeasureOptions& options) {
    std::normal_distribution<double> run(1, deviation);
    return measure_until_stable(
               [&] {
                 std::vector<double> ms(9);
                 for (double& x : ms) x = std::max(1e-3, run(random));
                 return ms;
               },
               options)
        .runs;
  };
  MeasureOptions options{.warmup = 0, .min_runs = 30, .max_runs = 5000, .max_noise = 0.01, .max_seconds = 60};
  EXPECT_EQ(runs_for(1e-6, options), 36);  // the first sufficient multiple of a burst
  const int noisy = runs_for(0.2, options);
  EXPECT_GT(noisy, 300);
  EXPECT_LT(noisy, 1500);
  options.max_runs = 90;
  EXPECT_EQ(runs_for(0.2, options), 90);
  options.max_seconds = 0;
  EXPECT_EQ(runs_for(0.2, options), 9);  // always at least one burst
}

}  // namespace
}  // namespace opsched

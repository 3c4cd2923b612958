// Names of precisions, and numbers as the tensor cores read them.
#include "core/precision.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/error.hpp"
#include "core/tf32.hpp"

namespace opsched {
namespace {

TEST(Precision, HasAName) {
  for (const Precision precision : kPrecisions) EXPECT_EQ(parse_precision(to_string(precision)), precision);
  try {
    parse_precision("fp8");
    FAIL() << "fp8 is unknown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(names_of(kPrecisions)), std::string::npos);
  }
}

bool is_tf32(float x) { return round_to_tf32(x) == x; }

TEST(Tf32, TwoTermsHoldAnFp32Number) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-60, 60);
  for (int i = 0; i < 100000; ++i) {
    const float x = std::ldexp(normal(random), exponent(random));
    const Tf32Terms terms = tf32_terms(x);
    ASSERT_TRUE(is_tf32(terms.big) && is_tf32(terms.small)) << x;
    ASSERT_LE(std::abs(double{terms.big} + terms.small - x), 0x1p-23 * std::abs(x)) << x;
    ASSERT_LE(std::abs(terms.small), 0x1p-11f * std::abs(terms.big)) << x;
  }
}

}  // namespace
}  // namespace opsched

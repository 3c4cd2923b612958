// The activations: their text, and their values compared with formulas in double precision.
#include "core/graph/activation.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/error.hpp"
#include "tests/support/exact_activation.hpp"

namespace opsched {
namespace {

const Activation all[] = {Activation::none,
                          Activation::relu,
                          Activation::tanh,
                          Activation::sigmoid,
                          {Activation::leaky_relu, .1f},
                          {Activation::elu, 1.5f},
                          {Activation::clip, -1, 6},
                          {Activation::hard_sigmoid, .2f, .5f},
                          Activation::hard_swish,
                          Activation::silu,
                          Activation::gelu,
                          Activation::softplus};

TEST(Activation, ValuesAreThoseOfTheFormulas) {
  ASSERT_EQ(std::size(all), static_cast<std::size_t>(Activation::kinds));
  for (const Activation& act : all) {
    for (double x = -9; x <= 9; x += .25)
      EXPECT_NEAR(activated(static_cast<float>(x), act), exact_activation(act, x), 2e-6 * (1 + std::abs(x)))
          << to_string(act) << " of " << x;
    EXPECT_TRUE(std::isnan(activated(std::numeric_limits<float>::quiet_NaN(), act))) << to_string(act);
    if (act != Activation::silu && act != Activation::gelu && act != Activation::hard_swish) {
      EXPECT_FALSE(std::isnan(activated(-1e30f, act))) << to_string(act);
    }
    EXPECT_FALSE(std::isnan(activated(1e30f, act))) << to_string(act);
  }
}

TEST(Activation, TextIsReadBack) {
  for (int k = 0; k < Activation::kinds; ++k) EXPECT_EQ(all[k].kind, k);
  for (const Activation& act : all) EXPECT_EQ(parse_activation(to_string(act)), act);
  EXPECT_EQ(to_string(Activation(Activation::clip, 0, 6)), "clip(0,6)");
  EXPECT_EQ(to_string(Activation(Activation::leaky_relu, .1f)), "leaky_relu(0.1)");
  const Activation most(Activation::clip, std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max());
  EXPECT_EQ(parse_activation(to_string(most)), most);
  for (const char* bad : {"", "Relu", "relu(1)", "clip", "clip(0)", "clip(0,6", "clip(0,6,7)", "clip(0,nan)", "elu(x)",
                          "elu(1)x", "leaky_relu()"})
    EXPECT_THROW(parse_activation(bad), Error) << bad;
}

TEST(Activation, AKindIsNotItsParameters) {
  const Activation six(Activation::clip, 0, 6), one(Activation::clip, 0, 1);
  EXPECT_NE(six, one);
  EXPECT_TRUE(six == Activation::clip);
  EXPECT_TRUE(six != Activation::relu);
}

}  // namespace
}  // namespace opsched

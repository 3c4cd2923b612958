#include "core/hash.hpp"

#include <gtest/gtest.h>

#include "core/round_up.hpp"

namespace opsched {
namespace {

// Files are named by these hashes. Values from the authors of FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv).
TEST(Hash, IsFnv1a) {
  EXPECT_EQ(hex_digits(fnv1a("")), "cbf29ce484222325");
  EXPECT_EQ(hex_digits(fnv1a("a")), "af63dc4c8601ec8c");
  EXPECT_EQ(hex_digits(fnv1a("foobar")), "85944171f73967e8");
  EXPECT_EQ(fnv1a("bar", fnv1a("foo")), fnv1a("foobar"));
}

TEST(RoundUp, IsTheSmallestMultipleThatIsNotBelow) {
  for (int multiple = 1; multiple < 20; ++multiple)
    for (int value = 0; value < 100; ++value) {
      int want = value;
      while (want % multiple != 0) ++want;
      ASSERT_EQ(round_up(value, multiple), want) << value << " " << multiple;
      ASSERT_EQ(round_up(std::size_t(value), multiple), std::size_t(want));
    }
}

}  // namespace
}  // namespace opsched

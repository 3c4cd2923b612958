// How long the rest of the work takes.
#include "experiments/console/status_line.hpp"

#include <gtest/gtest.h>

namespace opsched::cli {
namespace {

TEST(SecondsLeft, FollowFromWhatIsDone) {
  EXPECT_EQ(seconds_left(0, 5, 0), 0);  // nothing is done yet
  EXPECT_DOUBLE_EQ(seconds_left(10, 0, 0.25), 30);
  EXPECT_DOUBLE_EQ(seconds_left(10, 12, 0.25), 18);
  EXPECT_EQ(seconds_left(10, 0, 1), 0);
}

/// Two of twelve pieces were known and took no time; the third one takes a minute.
TEST(SecondsLeft, DoNotGrowWhileAPieceIsUnderWay) {
  double before = seconds_left(0.1, 0, 2.0 / 12);
  EXPECT_LT(before, 1);
  for (int since = 1; since < 60; ++since) {
    const double now = seconds_left(0.1, since, 2.0 / 12);
    EXPECT_LE(now, before);
    before = now;
  }
  EXPECT_DOUBLE_EQ(seconds_left(60, 0, 3.0 / 12), 180);
}

TEST(Countdown, SaysWhatIsKnown) {
  Countdown countdown;
  EXPECT_EQ(countdown.text(1, 8, 0), "[1/8] ");
  EXPECT_TRUE(countdown.text(8, 8).starts_with("[8/8"));
}

}  // namespace
}  // namespace opsched::cli

// Where the time of a traced run goes.
#include "experiments/studies/roofline.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace opsched {
namespace {

Trace two_events(std::int64_t first_blocks, std::int64_t second_blocks) {
  Trace trace;
  trace.rows = {{0, "stream 0"}};
  TraceEvent first{.row = 0, .name = "a", .start = 1, .end = 2, .blocks = first_blocks};
  TraceEvent second{.row = 0, .name = "a", .start = 2, .end = 5, .blocks = second_blocks};
  trace.events = {first, second};
  trace.makespan = 6;
  return trace;
}

TEST(TimeSpent, IsDividedByTheSizeOfGrids) {
  const TimeSpent spent = time_spent(two_events(10, 200), 132);
  EXPECT_EQ(spent.kernels, 2);
  EXPECT_DOUBLE_EQ(spent.idle, 2);
  EXPECT_DOUBLE_EQ(spent.small, 1);
  EXPECT_DOUBLE_EQ(spent.full, 3);
}

/// Library kernels may be launched with a memset, which has no blocks.
TEST(TimeSpent, IncludesMemsets) {
  const TimeSpent spent = time_spent(two_events(0, 200), 132);
  EXPECT_EQ(spent.kernels, 1);
  EXPECT_DOUBLE_EQ(spent.idle, 2);
  EXPECT_DOUBLE_EQ(spent.small, 1);
}

TEST(TimeSpent, RejectsSimulatedTraces) { EXPECT_THROW(time_spent(two_events(0, 0), 132), Error); }

}  // namespace
}  // namespace opsched

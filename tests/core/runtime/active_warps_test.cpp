// Active warps, derived from the launches in a trace.
#include "core/runtime/trace/active_warps.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "core/error.hpp"
#include "tests/experiments/program.hpp"

namespace opsched {
namespace {

Trace trace_of(std::vector<TraceEvent> events, double makespan) {
  Trace trace;
  trace.rows = {{0, "stream 0"}, {1, "stream 0"}};
  trace.events = std::move(events);
  trace.makespan = makespan;
  trace.multiprocessors = 10;
  trace.max_warps_per_sm = 64;
  return trace;
}

TraceEvent kernel(double start, double end, std::int64_t blocks, int threads, int blocks_per_sm) {
  return {
      .name = "k", .start = start, .end = end, .blocks = blocks, .threads = threads, .blocks_per_sm = blocks_per_sm};
}

TEST(ActiveWarps, OfOneKernel) {
  // 30 blocks of 4 warps, two at a time on each of 10 multiprocessors: two waves, 15 active blocks on average.
  const auto samples = active_warps(trace_of({kernel(1, 3, 30, 128, 2)}, 4), 0);
  ASSERT_EQ(samples.size(), 4U);
  EXPECT_EQ(samples[0].warps_per_sm, 0);
  EXPECT_EQ(samples[1].t_ms, 1);
  EXPECT_DOUBLE_EQ(samples[1].warps_per_sm, 15 * 4 / 10.0);
  EXPECT_EQ(samples[2].t_ms, 3);
  EXPECT_EQ(samples[2].warps_per_sm, 0);
  EXPECT_EQ(samples[3].t_ms, 4);
  EXPECT_DOUBLE_EQ(mean_warps(samples), 6.0 * 2 / 4);
}

TEST(ActiveWarps, AddUpToTheLimit) {
  const auto samples = active_warps(trace_of({kernel(0, 2, 20, 1024, 2), kernel(1, 2, 10, 64, 1)}, 2), 0);
  for (const WarpSample& s : samples) EXPECT_LE(s.warps_per_sm, 64);
  EXPECT_DOUBLE_EQ(samples.front().warps_per_sm, 64);
  EXPECT_EQ(samples.back().warps_per_sm, 0);
}

TEST(ActiveWarps, NeverNegativeAndWhollyAccountedFor) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<TraceEvent> events;
    double area = 0, end = 0;
    for (int i = 0; i < 20; ++i) {
      const double start = static_cast<double>(random() % 1000), length = 1 + static_cast<double>(random() % 100);
      events.push_back(kernel(start, start + length, 1 + static_cast<std::int64_t>(random() % 9), 32, 1));
      area += length * static_cast<double>(events.back().blocks) / 10;
      end = std::max(end, start + length);
    }
    const auto samples = active_warps(trace_of(std::move(events), end), 0);
    for (const WarpSample& s : samples) EXPECT_GE(s.warps_per_sm, 0);
    EXPECT_NEAR(mean_warps(samples) * end, area, 1e-6 * area);
    double sum = 0;
    for (const WarpSample& s : resampled(samples, 77)) sum += s.warps_per_sm;
    EXPECT_NEAR(sum / 77, mean_warps(samples), 1e-9 * sum);
  }
}

TEST(ActiveWarps, NeedKernels) {
  EXPECT_THROW(active_warps(trace_of({{.name = "simulated", .start = 0, .end = 1}}, 1), 0), Error);
  EXPECT_THROW(active_warps(trace_of({kernel(0, 1, 5, 32, 1)}, 1), 1), Error);  // on another device
}

TEST(ActiveWarps, TheCommandNeedsAGpu) {
  if (std::filesystem::exists("/dev/nvidiactl")) GTEST_SKIP() << "this host has a GPU";
  const test::ProgramResult refused = test::run_program("warps inception_v3 --block e2");
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("GPU"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace opsched

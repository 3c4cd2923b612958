// The search for kernels that run well in parallel with others, on simulated schedules.
#include "core/runtime/kernel_refinement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/fake_tuner.hpp"

namespace opsched {
namespace {

using test::FakeTuner;

FakeTuner three_problems() {
  FakeTuner tuner;
  tuner.add("light", 1, {{0.01, 0.05}, {0.011, 0.04}});
  tuner.add("heavy", 4, {{0.10, 0.50}, {0.11, 0.60}, {0.12, 0.40}, {0.13, 0.45}, {0.14, 0.38}});
  tuner.add("often", 9, {{0.02, 0.20}, {0.021, 0.21}});
  return tuner;
}

TEST(KernelRefinement, FindsTheBestNeighbours) {
  FakeTuner tuner = three_problems();
  const double before = tuner.latency();
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_EQ(tuner.posed.at("heavy").chosen, "k4");
  EXPECT_EQ(tuner.posed.at("often").chosen, "k0");
  EXPECT_EQ(tuner.posed.at("light").chosen, "k1");
  ASSERT_EQ(refinement.changes().size(), 2u);
  const RefinedKernel& heavy = refinement.changes().front();
  EXPECT_EQ(heavy.problem, "heavy");
  EXPECT_EQ(heavy.before, "k0");
  EXPECT_EQ(heavy.after, "k4");
  ASSERT_TRUE(heavy.gain);
  EXPECT_NEAR(heavy.gain->saved(), 0.12, 1e-9);  // k2, then k4 over k2
  ASSERT_TRUE(refinement.total());
  EXPECT_NEAR(refinement.total()->before, before, 1e-9);
  EXPECT_NEAR(refinement.total()->after, tuner.latency(), 1e-9);
  ASSERT_EQ(refinement.totals().size(), 1u);
  EXPECT_EQ(refinement.totals().front().after, refinement.total()->after);
  EXPECT_FALSE(refinement.taken_back());
}

TEST(KernelRefinement, BeginsWithTheHeaviest) {
  FakeTuner tuner = three_problems();
  KernelRefinement(tuner, {}).run();
  const auto first = [&](const std::string& problem) {
    return std::ranges::find_if(tuner.asked, [&](const std::string& a) { return a.starts_with(problem); });
  };
  EXPECT_LT(first("heavy"), first("often"));
  EXPECT_LT(first("often"), first("light"));
}

TEST(KernelRefinement, TriesOnlyWhatIsFastEnoughAlone) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.10, 0.5}, {0.14, 0.5}, {0.149, 0.5}, {0.151, 0.1}});
  KernelRefinement(tuner, {}).run();
  EXPECT_EQ(tuner.asked, (std::vector<std::string>{"p/k1", "p/k2"}));
  tuner.asked.clear();
  KernelRefinement(tuner, {.candidates = 1, .within = 2, .again = true}).run();
  EXPECT_EQ(tuner.asked, (std::vector<std::string>{"p/k1"}));
}

TEST(KernelRefinement, TriesWhatLeavesRoomHoweverSlowAlone) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.10, 0.5}, {0.14, 0.5}, {0.149, 0.5}, {0.9, 0.1}});
  tuner.posed.at("p").alone.back().leaves_sms_free = true;
  KernelRefinement refinement(tuner, {.candidates = 1});
  refinement.run();
  EXPECT_EQ(tuner.asked.front(), "p/k1");
  EXPECT_EQ(tuner.posed.at("p").chosen, "k3");
}

TEST(KernelRefinement, OneLuckyWinIsNotEnough) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.1, 0.5}, {0.1, 0.5}});
  tuner.lucky["p/k1"] = 0.1;
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_EQ(tuner.asked.size(), 2u);
  EXPECT_EQ(tuner.posed.at("p").chosen, "k0");
  EXPECT_TRUE(refinement.changes().empty());
  EXPECT_FALSE(refinement.total());
}

TEST(KernelRefinement, IgnoresGainsThatAreNotWorthAChange) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.1, 0.5}, {0.1, 0.499}});  // 0.07%
  KernelRefinement(tuner, {}).run();
  EXPECT_EQ(tuner.posed.at("p").chosen, "k0");
  KernelRefinement(tuner, {.min_gain = 0.0005, .again = true}).run();
  EXPECT_EQ(tuner.posed.at("p").chosen, "k1");
}

TEST(KernelRefinement, ChangesNothingInPureNoise) {
  FakeTuner tuner;
  tuner.sigma = 0.02;
  for (int i = 0; i < 40; ++i) tuner.add("p" + std::to_string(i), 1, std::vector(12, std::pair(0.1, 0.02)));
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_GE(refinement.comparisons(), 40 * 11);
  EXPECT_TRUE(refinement.changes().empty());
}

TEST(KernelRefinement, FindsGainsAboveTheNoise) {
  FakeTuner tuner;
  tuner.sigma = 0.02;
  for (int i = 0; i < 20; ++i) tuner.add("p" + std::to_string(i), 1, {{0.1, 0.1}, {0.1, 0.1}, {0.1, 0.05}});
  KernelRefinement refinement(tuner, {});
  refinement.run();
  ASSERT_TRUE(refinement.total());
  EXPECT_NEAR(refinement.total()->saved(), 20 * 0.05, 0.1);
}

TEST(KernelRefinement, TakesBackWhatGainsNothingTogether) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.1, 0.5}, {0.1, 0.5}});
  int asked = 0;
  tuner.before_comparison = [&] {  // lucky twice, for example because the clock rose
    if (++asked <= 2) tuner.lucky["p/k1"] = 0.1;
  };
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_EQ(refinement.changes().size(), 1u);
  EXPECT_TRUE(refinement.taken_back());
  EXPECT_EQ(tuner.posed.at("p").chosen, "k0");
}

TEST(KernelRefinement, GoesOnWhereItWasStopped) {
  FakeTuner tuner = three_problems();
  KernelRefinement stopped(tuner, {});
  const auto stop = [](const RefinementProgress& p) {
    if (p.problem == 2) throw std::runtime_error("Ctrl-C");
  };
  EXPECT_THROW(stopped.run(stop), std::runtime_error);
  EXPECT_EQ(tuner.posed.at("heavy").chosen, "k4") << "what was chosen is kept";
  EXPECT_EQ(stopped.changes().size(), 1u);
  tuner.asked.clear();
  KernelRefinement(tuner, {}).run();
  EXPECT_EQ(std::ranges::count_if(tuner.asked, [](const std::string& a) { return a.starts_with("heavy"); }), 0);
  EXPECT_EQ(tuner.posed.at("light").chosen, "k1");
  tuner.asked.clear();
  KernelRefinement third(tuner, {});
  third.run();
  EXPECT_EQ(third.comparisons(), 0) << "nothing is left";
  KernelRefinement again(tuner, {.again = true});
  again.run();
  EXPECT_GT(again.comparisons(), 0);
  EXPECT_TRUE(again.changes().empty()) << "the best is found already";
}

TEST(KernelRefinement, StopsWhenTimeIsUpAndGoesOnLater) {
  FakeTuner tuner = three_problems();
  KernelRefinement refinement(tuner, {.max_seconds = 1e-9});
  refinement.run();
  EXPECT_TRUE(refinement.out_of_time());
  KernelRefinement later(tuner, {});
  later.run();
  EXPECT_EQ(tuner.posed.at("heavy").chosen, "k4");
}

TEST(KernelRefinement, PassesOverKernelsThatCannotBeBuilt) {
  FakeTuner tuner = three_problems();
  tuner.broken = {"heavy/k4"};
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_EQ(tuner.posed.at("heavy").chosen, "k2");
  ASSERT_EQ(refinement.failures().size(), 1u);
  EXPECT_NE(refinement.failures().front().find("heavy/k4"), std::string::npos);
}

TEST(KernelRefinement, TellsHowFarItIs) {
  FakeTuner tuner = three_problems();
  int calls = 0;
  double saved = 0;
  KernelRefinement(tuner, {}).run([&](const RefinementProgress& p) {
    ++calls;
    EXPECT_EQ(p.problems, 3);
    EXPECT_LE(p.candidate, p.candidates);
    EXPECT_GE(p.saved, saved);
    saved = p.saved;
  });
  EXPECT_EQ(calls, 6);
}

TEST(KernelRefinement, ChoosesALaunchStyleForEachProblem) {
  FakeTuner tuner;
  tuner.add_conv("crowds", 0.5, 0.52, 0.4, 0.45);
  tuner.add_conv("waits", 0.5, 0.6, 0.55, 0.42);
  tuner.add_conv("is fine", 0.5, 0.51, 0.52, 0.53);
  KernelRefinement refinement(tuner, {.kernels = false});
  refinement.run();
  EXPECT_EQ(tuner.posed.at("crowds").chosen, "k0/spread1");
  EXPECT_EQ(tuner.posed.at("waits").chosen, "k0/late");
  EXPECT_EQ(tuner.posed.at("is fine").chosen, "k0");
  EXPECT_EQ(refinement.changes().size(), 2u);
  ASSERT_TRUE(refinement.total());
  EXPECT_NEAR(refinement.total()->saved(), 0.18, 1e-9);
}

TEST(KernelRefinement, StylesOfTheChosenKernelAreTried) {
  FakeTuner tuner;
  tuner.add_conv("p", 0.5, 0.6, 0.6, 0.6);
  tuner.adds["p/k1"] = 0.45;
  tuner.styled["p/k1/spread1"] = 0.4;
  KernelRefinement refinement(tuner, {});
  refinement.run();
  EXPECT_EQ(tuner.posed.at("p").chosen, "k1/spread1");
  ASSERT_EQ(refinement.changes().size(), 1u);
  EXPECT_EQ(refinement.changes().front().before, "k0");
}

/// Each gain is too small to count, but together they do. Then the one that loses goes back.
TEST(KernelRefinement, TriesAStyleForAllProblemsAtOnce) {
  FakeTuner tuner;
  for (int i = 0; i < 30; ++i) tuner.add_conv("p" + std::to_string(i), 0.1, 0.2, 0.098, 0.1);
  tuner.add_conv("loses", 0.1, 0.2, 0.12, 0.1);
  KernelRefinement refinement(tuner, {.kernels = false});
  refinement.run();
  EXPECT_EQ(tuner.posed.at("p7").chosen, "k0/spread1");
  EXPECT_EQ(tuner.posed.at("loses").chosen, "k0");
  ASSERT_EQ(refinement.common_styles().size(), 1u);
  EXPECT_EQ(refinement.common_styles().front().style, "spread1");
  EXPECT_EQ(refinement.common_styles().front().problems, 31);
  EXPECT_NEAR(refinement.common_styles().front().gain.saved(), 30 * 0.002 - 0.02, 1e-9);
  EXPECT_EQ(refinement.changes().size(), 30u) << "without the one that went back";
  EXPECT_FALSE(refinement.changes().front().gain) << "it changed only together with the others";
  ASSERT_TRUE(refinement.total());
  EXPECT_NEAR(refinement.total()->saved(), 30 * 0.002, 1e-9);
}

TEST(KernelRefinement, TriesOnlyTheKindsThatAreWanted) {
  const auto asked = [](const RefinementOptions& options) {
    FakeTuner tuner;
    tuner.add_conv("p", 0.5, 0.6, 0.6, 0.6);
    KernelRefinement(tuner, options).run();
    return tuner.asked;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(asked({.spread = false, .late = false}), Names{"p/k1"});
  EXPECT_EQ(asked({.kernels = false, .late = false}), (Names{"p/k0/spread0", "p/k0/spread1"}));
  EXPECT_EQ(asked({.kernels = false, .spread = false}), Names{"p/k0/late"});
  EXPECT_EQ(asked({}), (Names{"p/k1", "p/k0/spread0", "p/k0/spread1", "p/k0/late"}));
}

TEST(KernelRefinement, StylesAreTriedOnce) {
  FakeTuner tuner;
  tuner.add_conv("p", 0.5, 0.6, 0.45, 0.6);
  KernelRefinement(tuner, {}).run();
  EXPECT_EQ(tuner.posed.at("p").chosen, "k0/spread1");
  KernelRefinement later(tuner, {});
  later.run();
  EXPECT_EQ(later.comparisons(), 0);
  KernelRefinement again(tuner, {.again = true});
  again.run();
  EXPECT_GT(again.comparisons(), 0);
  EXPECT_EQ(tuner.posed.at("p").chosen, "k0/spread1");
}

}  // namespace
}  // namespace opsched

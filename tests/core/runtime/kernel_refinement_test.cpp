// The search for kernels that run well in parallel with others, on simulated schedules.
#include "core/runtime/kernel_refinement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>

#include "core/error.hpp"

namespace opsched {
namespace {

/// A schedule that takes `base` ms plus the contributions of its kernels, measured with Gaussian noise.
class FakeTuner final : public CoRunTuner {
 public:
  double base = 1, sigma = 0;
  std::map<std::string, PosedProblem> posed;
  std::map<std::string, double> adds;   ///< by "problem/kernel"; ms
  std::map<std::string, double> lucky;  ///< subtracted from the first comparison of a change only
  std::set<std::string> broken;         ///< "problem/kernel"s that cannot be built
  std::vector<std::string> asked;       ///< "problem/kernel" of every comparison
  std::function<void()> before_comparison;

  void add(const std::string& problem, int uses, const std::vector<std::pair<double, double>>& alone_and_beside) {
    PosedProblem p{problem, uses, "k0", {}, {}};
    for (std::size_t i = 0; i < alone_and_beside.size(); ++i) {
      const std::string kernel = "k" + std::to_string(i);
      p.alone.push_back({kernel, alone_and_beside[i].first});
      adds[problem + "/" + kernel] = alone_and_beside[i].second;
    }
    posed.emplace(problem, p);
  }
  double latency(const std::map<std::string, std::string>& changes = {}) const {
    double ms = base;
    for (const auto& [key, p] : posed) ms += adds.at(key + "/" + (changes.contains(key) ? changes.at(key) : p.chosen));
    return ms;
  }

  std::vector<PosedProblem> problems() override {
    std::vector<PosedProblem> all;
    for (const auto& [key, p] : posed) all.push_back(p);
    return all;
  }
  KernelComparison compare(std::span<const KernelChange> changes, int turns) override {
    if (before_comparison) before_comparison();
    std::map<std::string, std::string> other;
    double luck = 0;
    for (const KernelChange& c : changes) {
      const std::string name = c.problem + "/" + c.kernel;
      asked.push_back(name);
      if (broken.contains(name)) throw Error("cannot be built: " + name);
      other[c.problem] = c.kernel;
      luck += std::exchange(lucky[name], 0);
    }
    const double error = sigma / std::sqrt(turns);
    std::normal_distribution<double> noise(0, sigma == 0 ? 1e-12 : error);
    return {latency(), latency(other) - luck + noise(random_), error};
  }
  void choose(const std::string& problem, const std::string& kernel, const KernelComparison&) override {
    posed.at(problem).chosen = kernel;
  }
  void remember_tried(const std::string& problem, const std::set<std::string>& kernels) override {
    posed.at(problem).tried.insert(kernels.begin(), kernels.end());
  }

 private:
  std::mt19937_64 random_{1};
};

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
  EXPECT_NEAR(heavy.gain.saved(), 0.12, 1e-9);  // k2, then k4 over k2
  ASSERT_TRUE(refinement.total());
  EXPECT_NEAR(refinement.total()->before, before, 1e-9);
  EXPECT_NEAR(refinement.total()->after, tuner.latency(), 1e-9);
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

}  // namespace
}  // namespace opsched

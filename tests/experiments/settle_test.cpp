// Settling results on a device that measures stages as schedulers ask for them.
#include "experiments/bench/settle.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/runtime/sim/sim_executor.hpp"
#include "experiments/bench/runner.hpp"
#include "experiments/device/folders.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/device_cost.hpp"

namespace opsched::test {
namespace {

using bench::Case;
using bench::Result;
using bench::Settled;

/// Measures on TrueDevice into the profile of a folder, in fp32.
class GrowingDevice : public Device {
 public:
  explicit GrowingDevice(std::string folder)
      : folder_(std::move(folder)),
        profile_(Profile::open(profile_file(folder_, Precision::fp32), TrueDevice::facts(), Precision::fp32)) {}

  std::string describe() const override { return "measured on a pretended device"; }
  std::string name() const override { return "pretended"; }
  std::string profile_folder() const override { return folder_; }
  int multiprocessors() const override { return 1; }
  bool measures() const override { return true; }
  std::string cost_key(Precision) override { return describe(); }
  void require(int, Precision) override {}
  std::unique_ptr<CostModel> costs(const Graph& graph, Precision) override {
    return std::make_unique<DeviceCost>(graph, profile_, kSeed);
  }
  std::unique_ptr<Executor> executor(CostModel&, const Schedule&, Precision, std::uint64_t, Waits) override {
    throw Error("only latencies");
  }
  Timing time(CostModel& costs, const Schedule& schedule, Precision, const MeasureOptions&,
              const std::string&) override {
    ++timed;
    if (timed == stop_at) throw DeviceLost("fell out");
    Timing timing{.latency = {}, .how = "measured"};
    timing.latency.median = *costs.schedule_ms(schedule);
    return timing;
  }
  std::unique_ptr<KernelCompany> company(std::vector<CompanyMember>, Precision) override { throw Error("no kernels"); }
  void save() override { profile_.save(profile_file(folder_, Precision::fp32)); }

  int timed = 0;
  int stop_at = -1;

 private:
  static constexpr std::uint64_t kSeed = 5;
  std::string folder_;
  Profile profile_;
};

class Settle : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string scheduler : {"sequential", "greedy", "ios-parallel", "ios-both"})
      results_.push_back(runner_.run({.network = "inception_v3", .scheduler = scheduler}));
    for (Result& result : results_) {
      ASSERT_EQ(result.skipped, "");
      result.search_seconds = 1000;  // as if it had taken so long from an empty profile
    }
    device_.save();
    ASSERT_GT(different(results_), 0) << "the searches of this test do not depend on what was measured before";
    device_.timed = 0;
  }

  bench::SettleOptions options() {
    return {.measure = {}, .report = {}, .keep = [this](const Result& now) { kept_.push_back(now); }};
  }

  /// How many schedules `opsched replay` finds otherwise.
  int different(const std::vector<Result>& results) {
    const std::unique_ptr<Device> recorded =
        open_recorded({.kind = "sim", .profile = device_.profile_folder(), .report = {}});
    bench::Runner replaying(*recorded, none_, {}, [](const std::string&) {});
    return static_cast<int>(
        std::ranges::count_if(results, [&](const Result& r) { return replaying.run(r.what).schedule != r.schedule; }));
  }

  std::vector<Result> after() const {
    std::vector<Result> results = results_;
    for (const Result& now : kept_) *std::ranges::find(results, now.what, &Result::what) = now;
    return results;
  }

  TempDir dir_;
  GrowingDevice device_{dir_.path().string()};
  bench::ScheduleStore none_{""};
  bench::Runner runner_{device_, none_, {}, [](const std::string&) {}};
  std::vector<Result> results_, kept_;
};

TEST_F(Settle, AReplayFindsWhatWasSettled) {
  const Settled settled = bench::settle(device_, none_, results_, options());
  EXPECT_TRUE(settled.open.empty()) << settled.open.begin()->first << ": " << settled.open.begin()->second;
  EXPECT_EQ(settled.replaced.size(), kept_.size());
  EXPECT_EQ(device_.timed, static_cast<int>(kept_.size())) << "what a replay finds again is not measured again";
  EXPECT_EQ(different(after()), 0);

  EXPECT_TRUE(bench::settle(device_, none_, after(), options()).replaced.empty());
}

TEST_F(Settle, KeepsTheTimeOfTheFirstSearchAndNothingElse) {
  const Settled settled = bench::settle(device_, none_, results_, options());
  ASSERT_FALSE(settled.replaced.empty());
  for (const auto& [old, now] : settled.replaced) {
    EXPECT_EQ(now.what, old.what);
    EXPECT_NE(now.schedule, old.schedule);
    EXPECT_EQ(now.search_seconds, 1000);
  }
}

TEST_F(Settle, GoesOnAfterItWasStopped) {
  device_.stop_at = 1;
  EXPECT_THROW(bench::settle(device_, none_, results_, options()), DeviceLost);
  device_.stop_at = -1;
  EXPECT_TRUE(bench::settle(device_, none_, after(), options()).open.empty());
  EXPECT_EQ(different(after()), 0);
}

TEST_F(Settle, SaysWhatStillDiffers) {
  bench::SettleOptions none = options();
  none.rounds = 0;
  const Settled settled = bench::settle(device_, none_, results_, none);
  EXPECT_TRUE(settled.replaced.empty());
  EXPECT_EQ(static_cast<int>(settled.open.size()), different(results_));
}

TEST_F(Settle, OneRoundMeasuresNothingButTheSchedulesThatAReplayFinds) {
  const auto stages = [&] {
    return Profile::load(profile_file(device_.profile_folder(), Precision::fp32)).stages().size();
  };
  const std::size_t before = stages();
  bench::SettleOptions once = options();
  once.rounds = 1;
  EXPECT_TRUE(bench::settle(device_, none_, results_, once).open.empty());
  EXPECT_FALSE(kept_.empty());
  EXPECT_EQ(stages(), before);
  EXPECT_EQ(different(after()), 0);
}

TEST_F(Settle, AScheduleOfTwoCasesIsMeasuredOnce) {
  const Result truth = runner_.run({.network = "inception_v3", .scheduler = "hios-lp-inter"});
  device_.save();
  device_.timed = 0;
  Result stale = truth;
  stale.what.scheduler = "hios-mr-inter";  // the same on one device
  stale.schedule = "another";
  stale.ms = 2 * truth.ms;
  const Settled settled = bench::settle(device_, none_, {truth, stale}, options());
  ASSERT_EQ(settled.replaced.size(), 1u);
  EXPECT_EQ(settled.replaced[0].now.what, stale.what);
  EXPECT_EQ(settled.replaced[0].now.ms, truth.ms);
  EXPECT_EQ(device_.timed, 0);
}

TEST_F(Settle, WhatIsFoundIsTheAnswerFromThenOn) {
  const bench::ScheduleStore store(dir_.file("schedules"));
  const Settled settled = bench::settle(device_, store, results_, options());
  ASSERT_FALSE(settled.replaced.empty());
  bench::Runner next(device_, store, {}, [](const std::string&) {});
  const Result& now = settled.replaced.back().now;
  const bench::Found found = next.find(now.what);
  EXPECT_TRUE(found.from_disk);
  EXPECT_EQ(found.seconds, 1000);
  EXPECT_EQ(fingerprint(found.schedule), now.schedule);
}

TEST_F(Settle, ASettledResultTakesTheOldOnesPlaceInTheFile) {
  const std::string folder = dir_.file("out");
  const Result old = results_.at(1);
  Result now = old;
  now.schedule = "another";
  now.ms = 2 * old.ms;
  {
    bench::ResultsFile file(folder, "here", false);
    for (const Result& result : {old, old, old, now}) file.add(result);
  }  // interrupted
  bench::ResultsFile file(folder, "here", false);
  EXPECT_EQ(file.resumed(), std::vector<Result>{now});
  EXPECT_EQ(file.merged(), std::vector<Result>{now});
  file.finish();
  EXPECT_EQ(bench::ResultsFile::load(folder).results, std::vector<Result>{now});
}

}  // namespace
}  // namespace opsched::test

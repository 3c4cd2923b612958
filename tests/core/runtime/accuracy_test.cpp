// The simulator's calibration, and its accuracy for a device.
#include "core/runtime/sim/accuracy.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "core/cost/profile/measured_graph.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/calibrate.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "core/schedule/schedule_text.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_dataflow.hpp"
#include "tests/support/random_splits.hpp"
#include "tests/support/true_device.hpp"

namespace opsched {
namespace {

using test::TrueDevice;

/// Profile and measured schedules of a network on a device with hidden parameters.
struct Campaign {
  explicit Campaign(const std::string& network) {
    TrueDevice device(21);
    std::mt19937_64 random(22);
    for (int batch : {1, 8}) {
      NetworkOptions options;
      options.batch = batch;
      auto graph = std::make_shared<const Graph>(make_network(network, options));
      const StageSigner signer(*graph);
      for (OpId id : graph->units())
        profile.record_stage(signer.solo(id), device.stage(*graph, {Strategy::concurrent, {{id}}}));
      const test::StageDrawer drawer(*graph);
      for (int i = 0; i < 150; ++i) {
        const Stage drawn = drawer.draw(random);
        profile.record_stage(signer.stage(drawn), device.stage(*graph, drawn));
      }
      const ContentionModel model = ContentionModel::fit(profile);
      RecordedCost cost(*graph, profile, model);
      for (const char* scheduler : {"sequential", "wavefront", "dataflow"})
        for (Mode mode : {Mode::barrier, Mode::dataflow}) {
          Schedule schedule = make_schedule(scheduler, {cost, 1, {}, {}});
          if (schedule.mode == Mode::dataflow && mode == Mode::barrier) continue;
          schedule.mode = mode;
          add(device, graph, std::move(schedule), scheduler);
        }
      for (int streams : {2, 3, 5}) add(device, graph, test::random_dataflow(*graph, 1, streams, random), "random");
    }
  }

  void add(TrueDevice& device, const std::shared_ptr<const Graph>& graph, Schedule schedule, const std::string& name) {
    profile.record_schedule(fingerprint(*graph), fingerprint(schedule),
                            {device.schedule(*graph, schedule), origin_of(*graph, schedule, name), to_text(schedule)});
    cases.push_back({graph, std::move(schedule)});
  }

  Profile profile{TrueDevice::facts(), Precision::fp32};
  std::vector<ScheduleCase> cases;
};

class Schedules : public ::testing::TestWithParam<std::string> {};

TEST_P(Schedules, LeftOutArePredicted) {
  Campaign campaign(GetParam());
  const Accuracy accuracy = measure_accuracy(campaign.profile, campaign.cases);
  ASSERT_EQ(accuracy.schedules.size(), campaign.cases.size());
  ASSERT_EQ(accuracy.networks.size(), 1U);
  const NetworkAccuracy& network = accuracy.networks[0];
  EXPECT_EQ(network.network, GetParam());
  for (const ErrorStats& stats : {network.replayed, network.unseen}) {
    EXPECT_EQ(stats.count, static_cast<int>(campaign.cases.size()));
    EXPECT_LT(stats.median, 0.05);
    EXPECT_LT(stats.p90, 0.15);
    EXPECT_GT(stats.rank, 0.95);
  }
  EXPECT_LT(network.stages.median, 0.1);
  EXPECT_GT(network.replayed_pairs.all, 0);
  EXPECT_GT(network.replayed_pairs.right, 0.9 * network.replayed_pairs.all);
  EXPECT_EQ(network.other_networks.count, 0);  // there are none
  ASSERT_EQ(accuracy.gpus.size(), 1U);
  EXPECT_EQ(accuracy.gpus[0].gpus, 1);
  EXPECT_FALSE(accuracy.gpus[0].splits);
  EXPECT_EQ(accuracy.gpus[0].replayed.count, network.replayed.count);
}
INSTANTIATE_TEST_SUITE_P(Networks, Schedules, ::testing::Values("inception_v3", "randwire", "nasnet", "squeezenet"),
                         [](const auto& info) { return info.param; });

TEST(Accuracy, SplitSchedulesAreLeftOutTogether) {
  Campaign campaign("squeezenet");
  Profile& profile = campaign.profile;
  for (const std::int64_t bytes : {1 << 12, 1 << 22})
    for (const int from : {0, 1}) profile.record_transfer(from, 1 - from, bytes, {0.005 + 1e-8 * bytes, 0.001, 10});
  const std::vector<ScheduleCase> whole = campaign.cases;
  std::vector<ScheduleCase> cases = whole, split;
  std::mt19937_64 random(23);
  for (const char* scheduler : {"split", "search", "search"}) {
    const std::shared_ptr<const Graph>& graph = whole.front().graph;
    const Graph strips = graph->with_splits(test::random_splits(*graph, 40, random()));
    Schedule schedule = test::random_dataflow(strips, 2, 2, random);
    schedule.splits = strips.splits();
    profile.record_schedule(fingerprint(*graph), fingerprint(schedule),
                            {{1.0, 0.001, 10}, origin_of(*graph, schedule, scheduler), to_text(schedule)});
    split.push_back({graph, std::move(schedule)});
  }
  cases.insert(cases.end(), split.begin(), split.end());
  const Accuracy accuracy = measure_accuracy(profile, cases);
  ASSERT_EQ(accuracy.gpus.size(), 2U);
  EXPECT_EQ(accuracy.gpus[1].gpus, 2);
  EXPECT_TRUE(accuracy.gpus[1].splits);
  EXPECT_EQ(accuracy.gpus[1].replayed.count, 3);
  // Predicted as if no schedule with splits had been measured.
  const ContentionModel model = ContentionModel::fit(profile);
  calibrate(profile, model, whole);
  for (const Prediction& p : compare_with_measured(profile, model, split))
    EXPECT_EQ(std::ranges::count(accuracy.schedules, p.predicted, &HeldOutSchedule::replayed), 1);
}

TEST(Accuracy, CandidatesOfASearchAreLeftOutNetworkByNetwork) {
  Campaign campaign("squeezenet");
  Profile& profile = campaign.profile;
  std::map<std::string, std::vector<ScheduleCase>> candidates;
  TrueDevice device(21);
  std::mt19937_64 random(24);
  for (const char* network : {"squeezenet", "inception_v3"}) {
    const auto graph = std::make_shared<const Graph>(make_network(network));
    const StageSigner signer(*graph);
    for (OpId id : graph->units())
      profile.record_stage(signer.solo(id), device.stage(*graph, {Strategy::concurrent, {{id}}}));
    for (int streams : {2, 3, 4}) {
      campaign.add(device, graph, test::random_dataflow(*graph, 1, streams, random), kCandidate);
      candidates[network].push_back(campaign.cases.back());
    }
  }
  const Accuracy accuracy = measure_accuracy(profile, campaign.cases);
  const ContentionModel model = ContentionModel::fit(profile);
  for (const auto& [network, held] : candidates) {
    std::vector<ScheduleCase> others;
    for (const ScheduleCase& c : campaign.cases)
      if (std::ranges::none_of(held, [&](const ScheduleCase& h) { return h.schedule == c.schedule; }))
        others.push_back(c);
    calibrate(profile, model, others);
    for (const Prediction& p : compare_with_measured(profile, model, held))
      EXPECT_EQ(std::ranges::count(accuracy.schedules, p.predicted, &HeldOutSchedule::replayed), 1) << network;
  }
}

/// Keys of the stages of several operators.
std::set<std::string> stages_of_several(const ScheduleCase& c) {
  std::set<std::string> keys;
  const StageSigner signer(*c.graph, adds_residuals(TrueDevice::facts().kernels));
  for (const DeviceSchedule& device : c.schedule.devices)
    for (const Stage& stage : device.stages)
      if (c.schedule.mode == Mode::barrier && (stage.groups.size() > 1 || stage.groups[0].size() > 1))
        keys.insert(signer.stage(stage));
  return keys;
}

TEST(Accuracy, LeavingASchedulerOutIsAProfileWithoutIt) {
  const Campaign campaign("squeezenet");
  const Accuracy accuracy = measure_accuracy(campaign.profile, campaign.cases);
  std::size_t compared = 0;
  for (const std::string scheduler : {"sequential", "wavefront", "dataflow", "random"}) {
    std::vector<ScheduleCase> held, others;
    std::set<std::string> hidden;
    for (const ScheduleCase& c : campaign.cases) {
      const ScheduleRecord* record = campaign.profile.find_schedule(fingerprint(*c.graph), fingerprint(c.schedule));
      (record->origin.scheduler == scheduler ? held : others).push_back(c);
      if (record->origin.scheduler == scheduler) hidden.merge(stages_of_several(c));
    }
    for (const auto predicted : {&HeldOutSchedule::replayed, &HeldOutSchedule::unseen}) {
      Profile part(campaign.profile.device(), campaign.profile.precision());
      for (const auto& [key, entry] : campaign.profile.stages())
        if (predicted == &HeldOutSchedule::replayed || !hidden.contains(key)) part.record_stage(key, entry);
      for (const auto& [key, record] : campaign.profile.schedules())
        part.record_schedule(key.first, key.second, record);
      const ContentionModel model = ContentionModel::fit(part);
      calibrate(part, model, others);
      for (const Prediction& p : compare_with_measured(part, model, held)) {
        const auto same = [&](const HeldOutSchedule& s) {
          return s.origin == p.origin && s.mode == p.mode && s.measured == p.measured && s.*predicted == p.predicted;
        };
        EXPECT_TRUE(std::ranges::any_of(accuracy.schedules, same)) << scheduler << " " << p.predicted;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 2 * campaign.cases.size());
}

TEST(Accuracy, SaysHowFarItIs) {
  const Campaign campaign("squeezenet");
  std::vector<std::string> said;
  measure_accuracy(campaign.profile, campaign.cases, [&](const std::string& text) { said.push_back(text); });
  const std::vector<std::string> expected = {"stages left out, 1 of 5",
                                             "stages left out, 2 of 5",
                                             "stages left out, 3 of 5",
                                             "stages left out, 4 of 5",
                                             "stages left out, 5 of 5",
                                             "schedules of dataflow left out, 1 of 4",
                                             "schedules of random left out, 2 of 4",
                                             "schedules of sequential left out, 3 of 4",
                                             "schedules of wavefront left out, 4 of 4"};
  EXPECT_EQ(said, expected);
  const auto stop = [](const std::string&) { throw Error("stop"); };
  EXPECT_THROW(measure_accuracy(campaign.profile, campaign.cases, stop), Error);
}

TEST(Calibration, StaysInTheProfileAndHelps) {
  Campaign campaign("squeezenet");
  const ContentionModel model = ContentionModel::fit(campaign.profile);
  const ErrorStats before = error_stats(compare_with_measured(campaign.profile, model, campaign.cases));
  EXPECT_EQ(calibrate(campaign.profile, model, campaign.cases), static_cast<int>(campaign.cases.size()));
  const auto after = compare_with_measured(campaign.profile, model, campaign.cases);
  EXPECT_LT(error_stats(after).median, before.median);
  RecordedCost cost(*campaign.cases[0].graph, campaign.profile, model);
  EXPECT_NE(cost.contention_law(), model.contention_law());
  EXPECT_EQ(simulate(cost, campaign.cases[0].schedule).timeline.makespan, after[0].predicted);
  // The profile also holds the schedules themselves.
  const auto from_profile =
      recorded_cases(campaign.profile, [&](const ScheduleOrigin&) { return campaign.cases[0].graph; });
  const auto of_graph = std::ranges::count(campaign.cases, campaign.cases[0].graph, &ScheduleCase::graph);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(from_profile.size()), of_graph);
  for (const ScheduleCase& c : from_profile) validate(*c.graph, c.schedule);
  Profile empty(TrueDevice::facts(), Precision::fp32);
  EXPECT_EQ(calibrate(empty, model, campaign.cases), 0);
  EXPECT_TRUE(empty.calibration().empty());
}

TEST(Calibration, TakesALimitedNumberOfCandidatesOfOneNetwork) {
  Campaign campaign("squeezenet");
  const std::shared_ptr<const Graph>& graph = campaign.cases[0].graph;
  const auto of_profile = [&] {
    return recorded_cases(campaign.profile, [&](const ScheduleOrigin&) { return graph; }).size();
  };
  const std::size_t without = of_profile();
  std::mt19937_64 random(1);
  const auto add = [&](const std::string& scheduler) {
    const Schedule schedule = test::random_dataflow(*graph, 1, 4, random);
    campaign.profile.record_schedule(fingerprint(*graph), fingerprint(schedule),
                                     {{1.0, 0.001, 10}, origin_of(*graph, schedule, scheduler), to_text(schedule)});
  };
  for (int i = 0; i < 20; ++i) add(kCandidate);
  EXPECT_EQ(of_profile(), without + 20);
  for (int i = 0; i < 200; ++i) add(kCandidate);
  EXPECT_LT(of_profile(), without + 100);
  const std::size_t limited = of_profile();
  for (int i = 0; i < 50; ++i) add("random");
  EXPECT_EQ(of_profile(), limited + 50) << "only candidates are limited";
}

}  // namespace
}  // namespace opsched

// MeasuredCost: what it measures, and that a replay of its profile gives the same answers.
#include "core/cost/profile/measured.hpp"

#include <gtest/gtest.h>

#include <span>
#include <utility>
#include <vector>

#include "networks/network.hpp"
#include "schedulers/hios/problem.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/device_cost.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

using test::DeviceCost;
using test::Random;
using test::RandomCnn;
using test::TrueDevice;

/// A profile of so many devices in which all links, or only the first, have different speeds.
Profile profile_of(int devices, bool every_link, Random& random) {
  Profile profile(TrueDevice::facts(), Precision::fp32);
  for (int from = 0; from < devices; ++from)
    for (int to = 0; to < devices; ++to) {
      if (from == to || (!every_link && (from != 0 || to != 1))) continue;
      const double latency = 0.001 * (2 + random.below(8));
      profile.record_transfer(from, to, 1024, {latency, 0, 1});
      profile.record_transfer(from, to, 1 << 20, {latency + 0.001 * (1 + random.below(20)), 0, 1});
    }
  return profile;
}

void expect_equal(const HiosProblem& a, const HiosProblem& b) {
  ASSERT_EQ(a.size(), b.size());
  ASSERT_EQ(a.edges(), b.edges());
  EXPECT_EQ(a.uniform(), b.uniform());
  for (int v = 0; v < a.size(); ++v) {
    EXPECT_EQ(a.op(v), b.op(v));
    EXPECT_EQ(a.ms(v), b.ms(v));
    EXPECT_EQ(a.rest(v), b.rest(v));
  }
  for (int e = 0; e < a.edges(); ++e) {
    EXPECT_EQ(a.worst_transfer(e), b.worst_transfer(e));
    for (int from = 0; from < a.devices(); ++from)
      for (int to = 0; to < a.devices(); ++to) EXPECT_EQ(a.transfer(e, from, to), b.transfer(e, from, to));
  }
}

TEST(MeasuredCost, GivesHiosTheProblemThatAReplayGives) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    const int devices = 2 + random.below(3);
    const Graph graph = RandomCnn(seed).draw(4);
    Profile profile = profile_of(devices, seed % 2 == 0, random);
    DeviceCost measured(graph, profile, seed);
    const HiosProblem problem(measured, devices);
    const ContentionModel model = ContentionModel::fit(profile);
    RecordedCost recorded(graph, profile, model);
    expect_equal(problem, HiosProblem(recorded, devices));
    EXPECT_EQ(problem.uniform(), seed % 2 != 0) << "seed " << seed << ": links differ, or do not";
  }
}

TEST(MeasuredCost, KnowsTheContentionLawFromTheFirstQuestionOn) {
  const Graph graph = make_network("squeezenet");
  Profile first(TrueDevice::facts(), Precision::fp32), second(TrueDevice::facts(), Precision::fp32);
  DeviceCost asked_first(graph, first, 3), asked_last(graph, second, 3);
  const ContentionLaw before = asked_first.contention_law();
  EXPECT_FALSE(first.stages().empty());  // of the operators, alone
  for (OpId op : graph.units()) asked_last.utilisation(op);
  EXPECT_EQ(before, asked_last.contention_law());
  EXPECT_EQ(before, asked_first.contention_law());
  EXPECT_EQ(before, RecordedCost(graph, first, ContentionModel::fit(first)).contention_law());
  EXPECT_NE(before, ContentionLaw{});
}

TEST(MeasuredCost, ItsReplayFindsTheSameSchedules) {
  const Graph graph = make_network("squeezenet");
  for (const char* scheduler : {"greedy", "hios-lp", "hios-mr", "heft"}) {
    Random random(7);
    Profile profile = profile_of(2, true, random);
    DeviceCost measured(graph, profile, 7);
    const int devices = find_scheduler(scheduler).max_devices == 1 ? 1 : 2;
    const auto made = [&](CostModel& cost) {
      return make_schedule(scheduler, {.cost = cost, .devices = devices, .options = {}, .progress = {}});
    };
    made(measured);  // fits the estimation model to the measurements so far
    const Schedule found = made(measured);
    const ContentionModel model = ContentionModel::fit(profile);
    RecordedCost recorded(graph, profile, model);
    EXPECT_EQ(found.devices, made(recorded).devices) << scheduler;
  }
}

/// Counts the requests.
struct CountingStopwatch : test::TrueStopwatch {
  CountingStopwatch(const Graph& graph, int& stages, int& schedules)
      : TrueStopwatch(graph, 1), stages_(stages), schedules_(schedules) {}
  void time_stages(std::span<const StageRequest> requests, const Done& done) override {
    stages_ += static_cast<int>(requests.size());
    TrueStopwatch::time_stages(requests, done);
  }
  ProfileEntry time_schedule(const Schedule& schedule) override {
    ++schedules_;
    return TrueStopwatch::time_schedule(schedule);
  }
  int &stages_, &schedules_;
};

TEST(MeasuredCost, MeasuresNothingTwice) {
  const Graph graph = make_network("squeezenet");
  Profile profile(TrueDevice::facts(), Precision::fp32);
  int stages = 0, schedules = 0;
  const auto ask = [&] {
    MeasuredCost cost(graph, profile, std::make_unique<CountingStopwatch>(graph, stages, schedules),
                      TrueDevice::kMacsPerMs);
    const Schedule schedule = make_schedule("wavefront", {.cost = cost, .devices = 1, .options = {}, .progress = {}});
    cost.prefetch(schedule.devices.front().stages);
    double sum = 0;
    for (const Stage& stage : schedule.devices.front().stages) sum += cost.stage_ms(stage);
    cost.prefetch_schedules(std::vector<Schedule>{schedule, schedule});
    return std::pair(sum, cost.schedule_ms(schedule));
  };
  const auto first = ask();
  EXPECT_EQ(stages, static_cast<int>(profile.stages().size()));
  EXPECT_EQ(schedules, 1);
  const int measured = stages;
  EXPECT_EQ(ask(), first);
  EXPECT_EQ(stages, measured);
  EXPECT_EQ(schedules, 1);
}

}  // namespace
}  // namespace opsched

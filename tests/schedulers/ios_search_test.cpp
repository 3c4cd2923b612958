#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "core/graph/blocks.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/dataflow.hpp"
#include "schedulers/ios/search.hpp"
#include "schedulers/ios/space.hpp"
#include "tests/support/device_cost.hpp"
#include "tests/support/ios_naive.hpp"
#include "tests/support/noisy_cost.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::NoisyCost;
using test::TestCost;

constexpr auto kEnumerations = {Enumeration::single_source, Enumeration::components};

IosSearchOptions search_options(Enumeration enumeration, int r, int s, const std::string& strategies) {
  IosSearchOptions o;
  o.space = {.enumeration = enumeration, .group_size = r, .groups = s};
  parse_strategies(strategies, o.space);
  return o;
}

TEST(IosSearch, FindsTheBestScheduleOfTheDefinitions) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (const Graph& graph : {test::layered(4, 3, seed), test::fork_join(2, 3), test::wide(6)}) {
      TestCost cost(graph, seed);
      const IosPart part = ios_parts(graph, 100).front();
      for (Enumeration enumeration : kEnumerations)
        for (auto [r, s] : {std::pair{1, 2}, {3, 8}, {kUnlimited, kUnlimited}})
          for (const char* strategies : {"concurrent", "merge", "concurrent,merge"}) {
            const IosSearchOptions o = search_options(enumeration, r, s, strategies);
            const IosResult result = ios_search(cost, o);
            const test::NaiveIos naive(graph, part, o.space);
            EXPECT_NEAR(result.ms, naive.best_ms([&](const Stage& stage) { return cost.stage_ms(stage); }), 1e-9);
            EXPECT_EQ(result.bound_ms, result.ms);
            EXPECT_NO_THROW(validate(graph, result.schedule));
            EXPECT_NEAR(evaluate(cost, result.schedule).makespan, result.ms, 1e-9);
          }
    }
  }
}

TEST(IosSearch, MoreFreedomIsNeverWorse) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Graph graph = test::layered(6, 4, seed);
    TestCost cost(graph, seed);
    const auto ms = [&](Enumeration e, int r, int s, const char* strategies) {
      return ios_search(cost, search_options(e, r, s, strategies)).ms;
    };
    const double slack = 1 + 1e-12;
    for (Enumeration e : kEnumerations) {
      for (int r = 1; r < 5; ++r) EXPECT_LE(ms(e, r + 1, 4, "concurrent"), slack * ms(e, r, 4, "concurrent"));
      for (int s = 1; s < 5; ++s) EXPECT_LE(ms(e, 3, s + 1, "concurrent"), slack * ms(e, 3, s, "concurrent"));
      const double both = ms(e, 3, 8, "concurrent,merge");
      EXPECT_LE(both, slack * std::min(ms(e, 3, 8, "concurrent"), ms(e, 3, 8, "merge")));
    }
    EXPECT_LE(ms(Enumeration::components, 3, 8, "concurrent"),
              slack * ms(Enumeration::single_source, 3, 8, "concurrent"));
  }
}

TEST(IosSearch, WhatLiesOnShortSchedules) {
  const Graph graph = test::layered(5, 3, 3);
  TestCost cost(graph, 3);
  const IosSpace space(ios_parts(graph, 100).front(), {});
  std::vector<double> ms;
  for (int i = 0; i < space.stages(); ++i) ms.push_back(cost.stage_ms(space.stage(i)));
  const double best = space.best(ms).ms;
  std::vector<double> through;  // the best latency with each stage
  for (int i = 0; i < space.stages(); ++i) {
    std::vector<double> forced = ms;
    forced[i] -= 1e6;
    through.push_back(space.best(forced).ms + 1e6);
  }
  std::int64_t before = 0;
  for (const double limit : {0.99 * best, best, 1.02 * best, 1.1 * best, 2 * best, 1e6}) {
    std::vector<int> stages;
    const IosTransitions near = space.graph().within(ms, limit, stages);
    EXPECT_GE(near.size(), before);
    before = near.size();
    std::vector<double> near_ms;
    for (int i : stages) near_ms.push_back(ms[i]);
    const IosTransitions::Path path = near.best(near_ms);
    if (limit < best) {
      EXPECT_TRUE(std::isinf(path.ms));
    } else {
      EXPECT_NEAR(path.ms, best, 1e-9);
    }
    for (int i = 0; i < space.stages(); ++i)
      if (std::abs(through[i] - limit) > 1e-6) {
        EXPECT_EQ(std::ranges::count(stages, i), through[i] < limit);
      }
  }
  EXPECT_EQ(before, space.transitions());
}

struct Case {
  const char* network;
  double noise;
  double fraction;  ///< measured at most, of all stages
};

class CheapSearch : public ::testing::TestWithParam<Case> {};

TEST_P(CheapSearch, IsWithinOnePercentOfMeasuringEverything) {
  const Graph graph =
      GetParam().network == std::string("nasnet_cell")
          ? cut_out(make_network("nasnet"), {"all", ios_parts(make_network("nasnet"), 100)[4].ops, {}}, "cell")
          : make_network(GetParam().network);
  NoisyCost device(graph, GetParam().noise);
  const IosResult cheap = ios_search(device, {});
  EXPECT_EQ(cheap.stats.measured, device.measured);
  EXPECT_LT(device.measured, GetParam().fraction * static_cast<double>(cheap.stats.stages));
  EXPECT_NEAR(evaluate(device, cheap.schedule).makespan, cheap.ms, 1e-9 * cheap.ms);
  EXPECT_LE(cheap.ms, cheap.bound_ms * 1.01);

  double best = 0;
  for (const IosPart& part : ios_parts(graph, 100)) {
    const IosSpace space(part, {});
    std::vector<double> ms;
    for (int i = 0; i < space.stages(); ++i) ms.push_back(device.latency(space.stage(i)));
    best += space.best(ms).ms;
  }
  EXPECT_LE(cheap.ms, best * 1.01);

  // The measurements form a profile; a search on it gives the same result.
  device.replay();
  const IosResult replayed = ios_search(device, {});
  EXPECT_EQ(replayed.schedule, cheap.schedule);
  EXPECT_EQ(replayed.stats.measured, 0);
}

INSTANTIATE_TEST_SUITE_P(Networks, CheapSearch,
                         ::testing::Values(Case{"squeezenet", 0.05, 0.6}, Case{"inception_v3", 0.03, 0.15},
                                           Case{"inception_v3", 0.1, 0.15}, Case{"nasnet_cell", 0.05, 0.03}),
                         [](const auto& info) {
                           return std::string(info.param.network) + "_" +
                                  std::to_string(static_cast<int>(100 * info.param.noise));
                         });

// From an empty profile, with the contention model learning during the search, on a device that it does not know.
TEST(IosSearch, GuidedByTheContentionModel) {
  for (const char* name : {"squeezenet", "inception_v3"}) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name);
    Profile profile(test::TrueDevice::facts(), Precision::fp32);
    test::DeviceCost cost(graph, profile, 4);
    const IosResult cheap = ios_search(cost, {});
    const std::size_t measured = profile.stages().size();

    const ContentionModel model = ContentionModel::fit(profile);
    RecordedCost recorded(graph, profile, model);
    EXPECT_EQ(ios_search(recorded, {}).schedule, cheap.schedule) << "a replay differs";

    const IosResult exact = ios_search(cost, {.space = {}, .exhaustive = true});
    EXPECT_LE(cheap.ms, exact.ms * 1.01);
    EXPECT_LT(measured, 0.6 * static_cast<double>(profile.stages().size()));
  }
}

TEST(IosSearch, ExhaustiveAsksForEveryStageOnce) {
  const Graph graph = make_network("squeezenet");
  NoisyCost device(graph, 0.05);
  const IosResult result = ios_search(device, {.space = {}, .exhaustive = true});
  for (const IosPart& part : ios_parts(graph, 100)) {
    const IosSpace space(part, {});
    for (int i = 0; i < space.stages(); ++i) EXPECT_TRUE(device.stage_known(space.stage(i)));
  }
  EXPECT_EQ(result.bound_ms, result.ms);
  EXPECT_EQ(device.measured, result.stats.measured);
  const int before = device.measured;
  EXPECT_EQ(ios_search(device, {}).schedule, result.schedule);
  EXPECT_EQ(device.measured, before);
}

TEST(IosSearch, GoesOnWhereItWasInterrupted) {
  const Graph graph = make_network("squeezenet");
  NoisyCost whole(graph, 0.05), broken(graph, 0.05);
  const IosResult expected = ios_search(whole, {});
  broken.limit = whole.measured / 2;
  EXPECT_THROW(ios_search(broken, {}), Error);
  EXPECT_EQ(broken.measured, whole.measured / 2);
  broken.limit = -1;
  const IosResult result = ios_search(broken, {});
  EXPECT_LE(result.ms, expected.ms * 1.01);
  EXPECT_LE(result.stats.measured, whole.measured);
}

TEST(IosSearch, StopsAtMaxMeasuredAndSaysSo) {
  const Graph graph = make_network("inception_v3");
  NoisyCost device(graph, 0.05);
  IosSearchOptions few;
  few.max_measured = 150;
  const IosResult stopped = ios_search(device, few);
  EXPECT_TRUE(stopped.stats.gave_up);
  EXPECT_LT(device.measured, 250);  // at most one more round
  EXPECT_GT(stopped.ms, stopped.bound_ms * 1.01);
  EXPECT_NO_THROW(validate(graph, stopped.schedule));
  const IosResult whole = ios_search(device, {});
  EXPECT_FALSE(whole.stats.gave_up);
  EXPECT_LE(whole.ms, stopped.ms);
}

TEST(IosSearch, LosesPatienceAndSaysSo) {
  const Graph graph = make_network("inception_v3");
  NoisyCost device(graph, 0.3);
  const IosResult whole = ios_search(device, {});
  const int patient = device.measured;
  NoisyCost again(graph, 0.3);
  IosSearchOptions hasty;
  hasty.patience = 10;
  const IosResult stopped = ios_search(again, hasty);
  EXPECT_TRUE(stopped.stats.gave_up);
  EXPECT_LT(again.measured, patient);
  EXPECT_GE(stopped.ms, whole.ms);
  EXPECT_LT(stopped.ms, 1.2 * whole.ms);
  EXPECT_NO_THROW(validate(graph, stopped.schedule));
}

// In a symmetric part, each measurement makes several equal stages known.
TEST(IosSearch, IsPatientInMeasuredStages) {
  const Graph network = make_network("nasnet");
  const Graph cell = cut_out(network, {"all", ios_parts(network, 100)[4].ops, {}}, "cell");
  int stopped = 0;
  for (const int patience : {20, 50, 100})
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      NoisyCost device(cell, 0.3, seed);
      IosSearchOptions options;
      options.patience = patience;
      if (!ios_search(device, options).stats.gave_up) continue;
      ++stopped;
      EXPECT_GE(device.measured, patience) << "seed " << seed;
    }
  EXPECT_GT(stopped, 0);
}

TEST(IosVerified, IsAtLeastAsFastAsWhatItComparesAndReplaysTheSame) {
  for (const char* name : {"squeezenet", "inception_v3"}) {
    const Graph graph = make_network(name);
    Profile profile(test::TrueDevice::facts(), Precision::fp32);
    test::DeviceCost cost(graph, profile, 5);
    const auto make = [&](CostModel& costs, const char* scheduler) {
      return make_schedule(scheduler, {.cost = costs, .devices = 1, .options = {}, .progress = {}});
    };
    const Schedule verified = make(cost, "ios-verified");
    const double ms = *cost.schedule_ms(verified);
    for (const char* other : {"ios-both", "ios-parallel", "ios-dataflow", "wavefront", "greedy", "dataflow"})
      EXPECT_LE(ms, *cost.schedule_ms(make(cost, other))) << name << ", " << other;

    const ContentionModel model = ContentionModel::fit(profile);
    RecordedCost recorded(graph, profile, model);
    EXPECT_EQ(make(recorded, "ios-verified"), verified) << name;
  }
}

TEST(IosSearch, ReportsProgressAndStopsWhenToldTo) {
  struct Slow : NoisyCost {
    using NoisyCost::NoisyCost;
    double stage_ms(const Stage& stage) override {
      const timespec pause{0, stage_known(stage) ? 0 : 20'000'000};
      nanosleep(&pause, nullptr);
      return NoisyCost::stage_ms(stage);
    }
  };
  const Graph graph = make_network("squeezenet");
  Slow device(graph, 0.05);
  struct Stop {};
  std::string line;
  EXPECT_THROW(ios_search(device, {},
                          [&](const std::string& text) {
                            line = text;
                            throw Stop{};
                          }),
               Stop);
  EXPECT_NE(line.find("78 states"), std::string::npos) << line;
  EXPECT_NE(line.find("s to go"), std::string::npos) << line;
}

TEST(IosSearch, PartsThatAreTooWideAreCutUntilTheyAreNot) {
  for (const Graph& graph : {test::wide(8), test::layered(6, 3, 3), test::disconnected(3, 4)}) {
    TestCost cost(graph, 1);
    IosSearchOptions options = search_options(Enumeration::components, kUnlimited, kUnlimited, "concurrent,merge");
    const IosResult whole = ios_search(cost, options);
    EXPECT_EQ(whole.stats.cuts, 0);
    options.space.max_transitions = 60;
    EXPECT_THROW(ios_search(cost, options), Error);
    options.split_transitions = 600;
    const IosResult cut = ios_search(cost, options);
    EXPECT_GT(cut.stats.cuts, 0);
    EXPECT_GT(cut.stats.parts, whole.stats.parts);
    EXPECT_NO_THROW(validate(graph, cut.schedule));
    EXPECT_GE(cut.ms, whole.ms - 1e-9);
    double sequential = 0;
    for (OpId op : graph.units()) sequential += cost.operator_ms(op);
    EXPECT_LE(cut.ms, sequential + 1e-9);
  }
}

TEST(IosSearch, TheBestScheduleSoFarIsToldWhenItIsStopped) {
  const Graph graph = make_network("squeezenet");
  struct Stop {};
  struct Stopping : NoisyCost {
    using NoisyCost::NoisyCost;
    int left = 5;
    void prefetch(std::span<const Stage> stages) override {
      if (left-- == 0) throw Stop{};
      NoisyCost::prefetch(stages);
    }
  } stopping(graph, 0.05);
  Schedule best;
  EXPECT_THROW(ios_search(stopping, {}, {}, [&](const Schedule& schedule) { best = schedule; }), Stop);
  EXPECT_NO_THROW(validate(graph, best));
}

TEST(IosSearch, WhatWasNotLookedAtYetRunsLevelByLevelWhenItIsStopped) {
  struct Stop {};
  for (const Graph& graph : {make_network("squeezenet"), test::layered(6, 4, 2)})
    for (const char* strategies : {"concurrent", "merge", "concurrent,merge"})
      for (int parts : {0, 1, 3}) {
        TestCost cost(graph, 1);
        IosSearchOptions options = search_options(Enumeration::single_source, 3, 8, strategies);
        int left = parts;
        options.space.poll = [&] {
          if (left-- == 0) throw Stop{};
        };
        Schedule best;
        try {
          ios_search(cost, options, {}, [&](const Schedule& schedule) { best = schedule; });
        } catch (const Stop&) {
          EXPECT_NO_THROW(validate(graph, best)) << strategies << ", " << parts;
        }
      }
}

TEST(IosDataflow, KeepsStagesAndSavesWaits) {
  // Two chains: with barriers, they form stages of two groups; without, each chain stays on its stream.
  const Graph two = test::disconnected(2, 6);
  TestCost cost(two);
  const Schedule chains =
      make_schedule("ios-dataflow", {.cost = cost, .devices = 1, .options = {{"r", "1"}, {"s", "2"}}, .progress = {}});
  EXPECT_EQ(chains.mode, Mode::dataflow);
  const std::vector<Slot> slots = slots_of(two, chains);
  for (OpId op : two.units())
    for (OpId p : two.preds(op))
      if (slots[p].placed()) {
        EXPECT_EQ(slots[p].group, slots[op].group) << two.op(op).name;
      }

  for (const char* name : {"inception_v3", "squeezenet"}) {
    const Graph graph = make_network(name);
    NoisyCost device(graph, 0.05);
    const Schedule barrier = ios_search(device, {}).schedule;
    // Counts operators that follow an operator on their stream on which they do not depend.
    const auto idle_waits = [&](const Schedule& schedule) {
      std::vector<std::set<OpId>> ancestors(graph.size());
      for (OpId op : graph.units())
        for (OpId p : graph.preds(op)) {
          ancestors[op].insert(p);
          ancestors[op].insert(ancestors[p].begin(), ancestors[p].end());
        }
      std::map<int, OpId> last;
      int count = 0;
      for (const Stage& stage : schedule.devices[0].stages)
        for (std::size_t g = 0; g < stage.groups.size(); ++g)
          for (OpId op : stage.groups[g]) {
            const auto [it, first] = last.emplace(g, op);
            count += !first && !ancestors[op].contains(it->second);
            it->second = op;
          }
      return count;
    };
    const Schedule free = without_barriers(graph, barrier);
    EXPECT_NO_THROW(validate(graph, free));
    ASSERT_EQ(stage_count(free), stage_count(barrier));
    EXPECT_LT(idle_waits(free), idle_waits(barrier));
    for (int s = 0; s < stage_count(free); ++s) {
      std::vector<Group> groups = free.devices[0].stages[s].groups;
      std::erase(groups, Group{});
      EXPECT_TRUE(std::ranges::is_permutation(groups, barrier.devices[0].stages[s].groups));
    }
  }
}

TEST(IosSearch, BadOptions) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  const auto ask = [&](const SchedulerOptions& o) {
    return make_schedule("ios-both", {.cost = cost, .devices = 1, .options = o, .progress = {}});
  };
  EXPECT_THROW(ask({{"r", "0"}}), Error);
  EXPECT_THROW(ask({{"s", "-1"}}), Error);
  EXPECT_THROW(ask({{"tolerance", "-1"}}), Error);
  EXPECT_THROW(ask({{"max-part-size", "0"}}), Error);
  try {
    ask({{"enumeration", "everything"}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("components"), std::string::npos);
  }
  EXPECT_EQ(ask({{"r", "unlimited"}, {"s", "unlimited"}, {"enumeration", "components"}}).scheduler, "ios-both");
}

}  // namespace
}  // namespace opsched

// sequential, wavefront, greedy and dataflow: their guarantees beyond validity.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/streams.hpp"
#include "schedulers/options.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::TestCost;

Schedule made(const std::string& scheduler, CostModel& cost, const SchedulerOptions& options = {}) {
  return make_schedule(scheduler, {.cost = cost, .devices = 1, .options = options, .progress = {}});
}

/// reaches[a] holds every operator that must run after a.
std::vector<std::set<OpId>> reachable(const Graph& graph) {
  std::vector<std::set<OpId>> reaches(graph.size());
  for (OpId op = graph.size() - 1; op >= 0; --op)
    for (OpId s : graph.succs(op)) {
      reaches[op].insert(s);
      reaches[op].insert(reaches[s].begin(), reaches[s].end());
    }
  return reaches;
}

/// The largest number of operators with no order between any two, by trying all sets.
int width(const Graph& graph) {
  const auto reaches = reachable(graph);
  const auto units = graph.units();
  int best = 0;
  for (std::uint32_t set = 1; set < (1u << units.size()); ++set) {
    bool independent = true;
    for (std::size_t i = 0; i < units.size() && independent; ++i)
      for (std::size_t j = 0; j < units.size() && independent; ++j)
        independent = !(set >> i & 1) || !(set >> j & 1) || !reaches[units[i]].contains(units[j]);
    if (independent) best = std::max(best, std::popcount(set));
  }
  return best;
}

TEST(Sequential, IsTheSumOfSoloLatencies) {
  const Graph graph = test::layered(5, 4, 1);
  TestCost cost(graph);
  double sum = 0;
  for (OpId op : graph.units()) sum += cost.operator_ms(op);
  EXPECT_NEAR(evaluate(cost, made("sequential", cost)).makespan, sum, 1e-9);
}

TEST(Wavefront, StagesAreTheLevels) {
  for (int seed = 0; seed < 20; ++seed) {
    const Graph graph = test::layered(6, 5, seed);
    TestCost cost(graph);
    const auto slots = slots_of(graph, made("wavefront", cost));
    for (OpId op : graph.units()) {
      int level = 0;
      for (OpId p : graph.preds(op))
        if (!graph.op(p).is_input()) level = std::max(level, slots[p].stage + 1);
      EXPECT_EQ(slots[op].stage, level);
      EXPECT_EQ(slots[op].position, 0);
    }
    const Schedule narrow = made("wavefront", cost, {{"groups", "2"}});
    for (const Stage& stage : narrow.devices[0].stages) EXPECT_LE(stage.groups.size(), 2u);
  }
}

TEST(Greedy, GrowsOnlyWhereItGains) {
  for (int seed = 0; seed < 20; ++seed) {
    const Graph graph = test::layered(6, 5, seed);
    TestCost cost(graph, seed);
    const Schedule schedule = made("greedy", cost);
    EXPECT_LT(evaluate(cost, schedule).makespan, evaluate(cost, made("sequential", cost)).makespan);
    for (const Stage& stage : schedule.devices[0].stages) {
      double alone = 0;
      for (const Group& group : stage.groups) alone += cost.operator_ms(group.front());
      EXPECT_LE(cost.stage_ms(stage), alone);
    }
    const Schedule narrow = made("greedy", cost, {{"groups", "3"}});
    for (const Stage& stage : narrow.devices[0].stages) EXPECT_LE(stage.groups.size(), 3u);
  }
  // Operators that fill the device gain nothing from running in parallel.
  const Graph wide = test::wide(5);
  TestCost full(wide);
  for (OpId op = 1; op <= 5; ++op) full.set(op, 1.0, 1.0);
  EXPECT_EQ(stage_count(made("greedy", full)), 5);
  for (OpId op = 1; op <= 5; ++op) full.set(op, 1.0, 0.2);
  EXPECT_EQ(stage_count(made("greedy", full)), 1);
}

/// Costs with useless estimates: greedy must only accept what stage_ms confirms.
class Misled : public TestCost {
 public:
  using TestCost::TestCost;
  double estimate_stage_ms(const Stage&) override { return 0; }
};

TEST(Greedy, EstimatesOnlyOrderCandidates) {
  const Graph graph = test::wide(5);
  Misled cost(graph);
  for (OpId op = 1; op <= 5; ++op) cost.set(op, 1.0, 1.0);
  EXPECT_EQ(stage_count(made("greedy", cost)), 5);
}

TEST(Streams, PathsFollowTheGraph) {
  for (int seed = 0; seed < 20; ++seed)
    for (const Graph& graph : test::every_shape(seed)) {
      const auto reaches = reachable(graph);
      for (const auto& paths : {opara_paths(graph), nimble_paths(graph), chain_paths(graph)}) {
        std::multiset<OpId> covered;
        for (const Group& path : paths) {
          covered.insert(path.begin(), path.end());
          for (std::size_t i = 1; i < path.size(); ++i) EXPECT_TRUE(reaches[path[i - 1]].contains(path[i]));
        }
        const auto units = graph.units();
        EXPECT_EQ(covered, std::multiset<OpId>(units.begin(), units.end()));
      }
      EXPECT_LE(nimble_paths(graph).size(), opara_paths(graph).size());
      EXPECT_LE(chain_paths(graph).size(), nimble_paths(graph).size());
    }
}

TEST(Streams, ChainsAreAsManyAsTheGraphIsWide) {
  for (int seed = 0; seed < 30; ++seed) {
    const Graph graph = test::layered(4, 4, seed);
    EXPECT_EQ(static_cast<int>(chain_paths(graph).size()), width(graph)) << seed;
  }
}

TEST(Streams, OparaContinuesFirstReaders) {
  // u0 is read by u1 and u2; u3 and u4 each read both of these.
  const Graph graph = test::graph_of("net", {{}, {0}, {0}, {1, 2}, {1, 2}});
  EXPECT_EQ(opara_paths(graph), (std::vector<Group>{{1, 2, 4}, {3}, {5}}));
}

TEST(Streams, NimbleKeepsToTheReduction) {
  // The edge 0 -> 2 is implied by 0 -> 1 -> 2, so 0, 1, 2 form one path for every matching.
  const Graph graph = test::graph_of("net", {{}, {0}, {0, 1}});
  EXPECT_EQ(nimble_paths(graph), (std::vector<Group>{{1, 2, 3}}));
}

TEST(Streams, JoiningPathsPrefersStreamsThatAreFree) {
  // Two long parallel chains, then a third operator that depends only on the head of the first.
  const Graph graph = test::graph_of("net", {{}, {}, {1}, {0}});
  TestCost cost(graph);
  for (OpId op = 1; op <= 4; ++op) cost.set(op, 1.0, 0.5);
  cost.set(2, 5.0, 0.5);
  const std::vector<Group> paths = {{1}, {2, 3}, {4}};
  EXPECT_EQ(join_paths(cost, paths, 3), paths);
  EXPECT_EQ(join_paths(cost, paths, 2), (std::vector<Group>{{1, 4}, {2, 3}}));
  EXPECT_EQ(join_paths(cost, paths, 1), (std::vector<Group>{{1, 2, 3, 4}}));
}

TEST(Dataflow, EveryCombinationOfOptionsIsValid) {
  for (const Graph& graph : test::every_shape(3))
    for (const char* allocation : {"opara", "nimble", "chains"})
      for (const char* order : {"critical-path", "resource", "topological"})
        for (const char* streams : {"1", "2", "3", "unlimited"}) {
          TestCost cost(graph);
          const Schedule schedule =
              made("dataflow", cost, {{"allocation", allocation}, {"order", order}, {"streams", streams}});
          EXPECT_EQ(schedule.mode, Mode::dataflow);
          ASSERT_EQ(stage_count(schedule), 1);
          const int limit = streams == std::string("unlimited") ? graph.size() : std::stoi(streams);
          EXPECT_LE(static_cast<int>(schedule.devices[0].stages[0].groups.size()), limit);
        }
}

TEST(LaunchOrder, CriticalPathFirst) {
  const Graph graph = test::fork_join(2, 2);  // u0; u1 u2; u3 u4; u5
  TestCost cost(graph);
  for (OpId op : graph.units()) cost.set(op, 1.0, 0.5);
  cost.set(5, 3.0, 0.5);  // u4
  EXPECT_EQ(critical_path_order(cost), (std::vector<OpId>{1, 4, 5, 2, 3, 6}));
}

TEST(LaunchOrder, ResourceOrderAlternates) {
  Graph graph("mixed");
  const OpId in = graph.add_input("in", {64, 16, 16});
  std::vector<OpId> convs, relus;
  for (int i = 0; i < 3; ++i) {
    convs.push_back(graph.add("conv" + std::to_string(i), {graph.all(in)},
                              {Conv2d{.out_channels = 64, .kernel = {3, 3}, .padding = {1, 1}}}));
    relus.push_back(graph.add("relu" + std::to_string(i), {graph.all(in)}, {Activate{}}));
  }
  TestCost cost(graph);
  for (int i = 0; i < 3; ++i) {
    cost.set(convs[i], 1.0, 0.9 - 0.1 * i);
    cost.set(relus[i], 1.0, 0.1 + 0.1 * i);
  }
  const std::vector<OpId> order = resource_order(cost);
  ASSERT_EQ(order.size(), 6u);
  // Compute-bound operators first, then alternately; within each kind the smallest demand first.
  EXPECT_EQ(order, (std::vector<OpId>{convs[2], relus[0], convs[1], relus[1], convs[0], relus[2]}));
}

TEST(Options, ReadAndRefuse) {
  const SchedulerOptions options = {{"n", "7"},           {"x", "0.5"},      {"word", "blue"},
                                    {"any", "unlimited"}, {"bad", "7seven"}, {"huge", "99999999999999999999"},
                                    {"nan", "nan"},       {"octal", "07"}};
  const OptionReader reader(options);
  EXPECT_EQ(reader.integer("n", 1, 0), 7);
  EXPECT_EQ(reader.integer("absent", 1, 0), 1);
  EXPECT_EQ(reader.limit("any", 1, 1), std::numeric_limits<int>::max());
  EXPECT_EQ(reader.limit("n", 1, 1), 7);
  EXPECT_EQ(reader.real("x", 1, 0), 0.5);
  EXPECT_EQ(reader.choice("word", "red", {"red", "blue"}), "blue");
  const auto message = [&](auto&& read) -> std::string {
    try {
      read();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] { reader.integer("n", 1, 8); }), "option n=7: must be a whole number, at least 8");
  EXPECT_EQ(message([&] { reader.integer("bad", 1, 0, 9); }),
            "option bad=7seven: must be a whole number, at least 0 and at most 9");
  EXPECT_NE(message([&] { reader.integer("huge", 1, 0); }), "");
  EXPECT_NE(message([&] { reader.limit("word", 1, 1); }), "");
  EXPECT_NE(message([&] { reader.real("nan", 1, 0); }), "");
  EXPECT_NE(message([&] { reader.integer("octal", 1, 0); }), "");
  EXPECT_NE(message([&] { reader.real("x", 1, 0.6, 1); }), "");
  EXPECT_EQ(message([&] {
              reader.choice("word", "red", {"red", "green"});
            }),
            "option word=blue: must be one of: red, green");
}

}  // namespace
}  // namespace opsched

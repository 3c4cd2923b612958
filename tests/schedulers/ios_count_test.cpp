#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/count.hpp"
#include "schedulers/ios/explore.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/ios_naive.hpp"
#include "tests/support/shapes.hpp"

namespace opsched {
namespace {

using test::NaiveIos;

IosOptions options(Enumeration enumeration, int r, int s, const std::string& strategies = "concurrent,merge") {
  IosOptions o{.enumeration = enumeration, .group_size = r, .groups = s};
  parse_strategies(strategies, o);
  return o;
}

constexpr auto kBoth = {Enumeration::single_source, Enumeration::components};

TEST(IosCount, EqualsTheDefinitionsOnRandomGraphs) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    std::vector<Graph> graphs = test::every_shape(seed);
    for (std::uint64_t i = 0; i < 4; ++i) graphs.push_back(test::layered(4, 3, 100 * seed + i));
    for (const Graph& graph : graphs) {
      if (graph.size() > 9) continue;
      for (Enumeration enumeration : kBoth)
        for (auto [r, s] : {std::pair{1, 1},
                            {1, 3},
                            {2, 2},
                            {3, 1},
                            {3, 8},
                            {kUnlimited, 2},
                            {2, kUnlimited},
                            {kUnlimited, kUnlimited}})
          for (const char* strategies : {"concurrent", "merge", "concurrent,merge"}) {
            const IosOptions o = options(enumeration, r, s, strategies);
            const IosPart part = ios_parts(graph, 100).front();
            const NaiveIos naive(graph, part, o);
            const IosCount count = count_graph(graph, o).total;
            SCOPED_TRACE(graph.name() + " " + to_string(enumeration) + " r " + std::to_string(r) + " s " +
                         std::to_string(s) + " " + strategies);
            EXPECT_EQ(count.states, naive.states);
            EXPECT_EQ(count.transitions, naive.transitions);
            EXPECT_EQ(count.schedules, naive.schedules.str());
            EXPECT_EQ(count.stages, naive.stages);
            EXPECT_EQ(count.width, naive.width);
            EXPECT_EQ(count_states(part), std::to_string(naive.states));
          }
    }
  }
}

struct Seen {
  std::vector<std::uint32_t> walk;
  std::map<std::uint32_t, std::vector<std::uint64_t>> stages;
  void state(std::uint32_t id) { walk.push_back(id); }
  void transition(std::uint32_t to, std::uint32_t stage, Strategy strategy, int groups) {
    walk.insert(walk.end(), {to, stage, static_cast<std::uint32_t>(strategy), static_cast<std::uint32_t>(groups)});
  }
  template <class Words>
  void stage(const Words& words, std::uint32_t id, Strategy) {
    stages[id] = {words[0]};
  }
};

TEST(IosCount, SetsOfEverySizeWalkAlike) {
  for (Enumeration enumeration : kBoth) {
    const IosOptions o = options(enumeration, 3, 8);
    const Graph graph = test::layered(8, 4, 7);
    const IosPart part = ios_parts(graph, 100).front();
    Seen small, middle, any;
    explore<Bits64>(part, o, small);
    explore<Bits128>(part, o, middle);
    explore<BitsAny>(part, o, any);
    EXPECT_EQ(small.walk, middle.walk);
    EXPECT_EQ(small.walk, any.walk);
    EXPECT_EQ(small.stages, middle.stages);
    EXPECT_EQ(small.stages, any.stages);
  }
}

TEST(IosCount, LongChains) {
  // The last stage of a chain has one, two or three operators, so the schedules are the compositions of n.
  for (int n : {63, 64, 65, 127, 128, 129, 300}) {
    IosOptions o = options(Enumeration::single_source, 3, 8, "concurrent");
    o.max_part_size = 1000;
    const IosCount count = count_graph(test::chain(n), o).total;
    boost::multiprecision::cpp_int a = 0, b = 0, c = 1;
    for (int i = 0; i < n; ++i) {
      const boost::multiprecision::cpp_int next = a + b + c;
      a = b, b = c, c = next;
    }
    EXPECT_EQ(count.states, n);
    EXPECT_EQ(count.transitions, 3 * n - 3);
    EXPECT_EQ(count.schedules, c.str());
    EXPECT_EQ(count.width, 1);
  }
}

TEST(IosCount, LargeBlocksWithoutPartsAreCutInOrder) {
  const Graph graph = test::chain(10);
  IosOptions o = options(Enumeration::single_source, 3, 8, "concurrent");
  o.max_part_size = 4;
  const IosCounts counts = count_graph(graph, o);
  ASSERT_EQ(counts.parts.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(counts.parts[i].part, i);
    EXPECT_EQ(counts.parts[i].operators, i < 2 ? 4 : 2);
  }
  EXPECT_EQ(counts.total.states, 10);
  EXPECT_EQ(counts.total.schedules, "98");  // 7 * 7 * 2
}

// Ding et al., table 1: the largest block, concurrent execution only, nothing pruned.
TEST(IosCount, Table1) {
  const auto block = [](const char* name, int operators, int width) {
    const IosCounts counts =
        count_graph(make_network(name), options(Enumeration::single_source, kUnlimited, kUnlimited, "concurrent"));
    IosCount best;
    for (const IosCount& c : counts.parts)
      if (c.operators == operators && c.width == width && c.transitions > best.transitions) best = c;
    return best;
  };
  const IosCount inception = block("inception_v3", 11, 6);
  EXPECT_EQ(inception.states, 180);
  EXPECT_EQ(inception.transitions, 4871);
  EXPECT_EQ(inception.schedules, "3757392");
  const auto near = [](const IosCount& count, double transitions, double schedules) {
    EXPECT_NEAR(count.transitions / transitions, 1, 0.05);
    EXPECT_NEAR(std::stod(count.schedules) / schedules, 1, 0.01);
  };
  near(block("randwire-paper", 33, 8), 1.2e6, 9.2e22);
  near(block("nasnet", 18, 8), 3.1e5, 7.2e12);
  near(block("squeezenet", 6, 3), 5.1e1, 1.31e2);
}

TEST(IosCount, WholeNetworks) {
  const auto total = [](const char* name, const char* strategies) {
    return count_graph(make_network(name), options(Enumeration::single_source, 3, 8, strategies)).total;
  };
  const IosCount inception = total("inception_v3", "concurrent,merge");
  EXPECT_EQ(inception.states, 1206);
  EXPECT_EQ(inception.transitions, 28874);
  EXPECT_EQ(total("inception_v3", "merge").transitions, 3852);
  EXPECT_EQ(total("nasnet", "concurrent,merge").transitions, 4695449);
  EXPECT_EQ(total("randwire-paper", "concurrent,merge").transitions, 1843444);
}

TEST(IosCount, PruningOnlyTakesAway) {
  const Graph graph = test::layered(6, 4, 3);
  for (Enumeration enumeration : kBoth) {
    std::int64_t before = 0;
    for (int r : {1, 2, 3, 5, kUnlimited}) {
      const IosCount count = count_graph(graph, options(enumeration, r, 4)).total;
      EXPECT_GE(count.transitions, before);
      before = count.transitions;
    }
    const IosCount single = count_graph(graph, options(Enumeration::single_source, 3, 4)).total;
    const IosCount all = count_graph(graph, options(Enumeration::components, 3, 4)).total;
    EXPECT_EQ(single.states, all.states);
    EXPECT_LE(single.transitions, all.transitions);
  }
}

TEST(IosCount, TooWideSaysHowManyStates) {
  const auto message = [](const Graph& graph, IosOptions o) -> std::string {
    try {
      count_graph(graph, o);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const IosOptions o = options(Enumeration::components, kUnlimited, kUnlimited);
  EXPECT_NE(message(test::wide(64), o).find("18446744073709551615 states"), std::string::npos);
  IosOptions few = o;
  few.max_states = 100;
  EXPECT_NE(message(test::wide(9), few).find("block 'all' is too wide"), std::string::npos);
  EXPECT_NE(message(test::wide(9), few).find("511 states, more than the limit of 100"), std::string::npos);
  few = o;
  few.max_transitions = 100;
  EXPECT_NE(message(test::wide(9), few).find("511 states, more than 100 transitions"), std::string::npos);
}

TEST(IosCount, CanBeStopped) {
  struct Stop {};
  IosOptions o = options(Enumeration::components, kUnlimited, kUnlimited);
  int polls = 0;
  o.poll = [&] {
    if (++polls == 3) throw Stop{};
  };
  EXPECT_THROW(count_graph(test::wide(16), o), Stop);  // 43 million transitions
}

TEST(IosCount, BadOptions) {
  const Graph graph = test::diamond();
  EXPECT_THROW(count_graph(graph, {.group_size = 0}), Error);
  EXPECT_THROW(count_graph(graph, {.groups = 0}), Error);
  EXPECT_THROW(count_graph(graph, {.concurrent = false, .merge = false}), Error);
  EXPECT_THROW(count_graph(graph, {.max_part_size = 0}), Error);
  EXPECT_THROW(parse_enumeration("sources"), Error);
  IosOptions o;
  EXPECT_THROW(parse_strategies("", o), Error);
  EXPECT_THROW(parse_strategies("merge,both", o), Error);
}

TEST(IosCount, Json) {
  const IosCounts counts = count_graph(test::diamond(), {});
  const auto json = nlohmann::json::parse(to_json(counts));
  ASSERT_EQ(json.at("blocks").size(), 1u);
  for (const char* key : {"operators", "width", "states", "transitions", "stages"}) {
    EXPECT_TRUE(json["blocks"][0].at(key).is_number_integer()) << key;
    EXPECT_EQ(json["blocks"][0][key], json.at("totals").at(key));
  }
  EXPECT_EQ(json["blocks"][0].at("block"), "all");
  EXPECT_EQ(json["blocks"][0].at("part"), 0);
  EXPECT_EQ(json["blocks"][0].at("schedules"), counts.total.schedules);
  EXPECT_TRUE(json.at("seconds").is_number());
}

TEST(IosCount, Command) {
  const auto counted = test::run_program("count randwire-paper --format json");
  ASSERT_EQ(counted.code, 0) << counted.err;
  EXPECT_EQ(nlohmann::json::parse(counted.out)["totals"]["transitions"], 1843444);

  const auto table = test::run_program(
      "count inception_v3 --enumeration single-source --strategies concurrent --group-size unlimited "
      "--groups unlimited --max-part-size 50");
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("3757392"), std::string::npos);

  const test::TempDir dir;
  const std::string file = dir.write("wide.json", graph_to_json(test::wide(64)));
  const auto wide = test::run_program("count --graph " + file);
  EXPECT_EQ(wide.code, 2);
  EXPECT_NE(wide.err.find("18446744073709551615 states"), std::string::npos) << wide.err;
  EXPECT_EQ(test::run_program("count --graph " + file + " --max-part-size 8").code, 0);

  for (const char* bad : {"--group-size 0", "--groups 0", "--groups many", "--enumeration all", "--strategies both",
                          "--max-part-size 0", "--format xml"})
    EXPECT_EQ(test::run_program(std::string("count squeezenet ") + bad).code, 2) << bad;
}

}  // namespace
}  // namespace opsched

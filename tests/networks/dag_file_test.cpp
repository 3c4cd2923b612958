#include "networks/dag_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched {
namespace {

std::string message_of(const std::string& text) {
  try {
    parse_dag(text, "bad.txt");
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(DagFile, WrittenAndReadGivesTheSameDag) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "opsched_dag_file";
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const WeightedDag dag = random_dag({.seed = seed});
    const std::string path = (folder / (dag.name + ".txt")).string();
    write_dag(path, dag);
    const WeightedDag back = read_dag(path);
    EXPECT_EQ(back.name, dag.name);
    EXPECT_EQ(back.ms, dag.ms);
    EXPECT_EQ(back.utilisation, dag.utilisation);
    EXPECT_EQ(back.edges, dag.edges);
  }
  std::filesystem::remove_all(folder);
}

TEST(DagFile, AcceptsOperatorsInAnyOrderBlankLinesAndCarriageReturns) {
  const WeightedDag dag = parse_dag("2\r\n1 0.5 0.7\r\n\r\n0 2 1\r\n1\r\n1 0 0.25\r\n\r\n", "ok.txt");
  EXPECT_EQ(dag.ms, (std::vector<double>{2, 0.5}));
  EXPECT_EQ(dag.utilisation, (std::vector<double>{1, 0.7}));
  EXPECT_EQ(dag.edges, (std::vector<WeightedDag::Edge>{{1, 0, 0.25}}));
}

TEST(DagFile, NamesFileAndLineOfWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "bad.txt:1: the file ends where the number of operators should come"},
      {"two", "bad.txt:1: the number of operators must be a whole number"},
      {"0\n0\n", "bad.txt:1: the number of operators must be a whole number from 1"},
      {"2\n0 1 0.5\n", "bad.txt:3: the file ends where operator 2 of 2 ('id t u') should come"},
      {"2\n0 1 0.5\n1 1\n0\n", "bad.txt:3: expected operator 2 of 2 ('id t u'), not '1 1'"},
      {"2\n0 1 0.5\n0 1 0.5\n0\n", "bad.txt:3: operator 0 was given in line 2 already"},
      {"2\n0 1 0.5\n2 1 0.5\n0\n", "bad.txt:3: an operator's id must be a whole number from 0 to 1, not '2'"},
      {"2\n0 1 0.5\n1.5 1 0.5\n0\n", "bad.txt:3: an operator's id must be a whole number from 0 to 1, not '1.5'"},
      {"1\n0 -1 0.5\n0\n", "bad.txt:2: the latency of operator 0 must be a non-negative number, not '-1'"},
      {"1\n0 nan 0.5\n0\n", "bad.txt:2: the latency of operator 0 must be a non-negative number, not 'nan'"},
      {"1\n0 inf 0.5\n0\n", "bad.txt:2: the latency of operator 0"},
      {"1\n0 1e999 0.5\n0\n", "bad.txt:2: the latency of operator 0"},
      {"1\n0 1 1.5\n0\n", "bad.txt:2: the utilisation of operator 0 must be above 0 and at most 1, not '1.5'"},
      {"1\n0 1 0\n0\n", "bad.txt:2: the utilisation of operator 0"},
      {"1\n0 1 0.5\n", "bad.txt:3: the file ends where the number of edges should come"},
      {"1\n0 1 0.5\n-1\n", "bad.txt:3: the number of edges must be a whole number from 0"},
      {"2\n0 1 0.5\n1 1 0.5\n2\n0 1 0.1\n", "bad.txt:6: the file ends where edge 2 of 2 ('a b w') should come"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n0 2 0.1\n", "bad.txt:5: an edge's second operator must be a whole number from 0 to 1"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n-1 1 0.1\n", "bad.txt:5: an edge's first operator must be a whole number from 0 to 1"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n0 1 -0.1\n", "bad.txt:5: the weight of edge 0 -> 1 must be a non-negative number"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n0 1 NaN\n", "bad.txt:5: the weight of edge 0 -> 1 must be a non-negative number"},
      {"2\n0 1 0.5\n1 1 0.5\n2\n0 1 0\n0 1 0\n", "bad.txt:6: edge 0 -> 1 was given in line 5 already"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n0 1 0\n1 0 0\n", "bad.txt:6: the file goes on after its 1 edges"},
      {"2\n0 1 0.5\n1 1 0.5\n1\n1 1 0\n", "bad.txt:5: this edge closes a cycle: 1 -> 1"},
      {"4\n0 1 1\n1 1 1\n2 1 1\n3 1 1\n5\n0 1 0\n1 2 0\n2 3 0\n3 1 0\n0 3 0\n",
       "bad.txt:10: this edge closes a cycle: "},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(message_of(text).substr(0, message.size()), message) << text;
}

TEST(DagFile, ReadingAMissingFileNamesIt) {
  try {
    read_dag("/no/such/dag.txt");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("/no/such/dag.txt"), std::string::npos);
  }
}

}  // namespace
}  // namespace opsched

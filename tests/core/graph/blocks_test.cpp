// A block cut out of a graph.
#include "core/graph/blocks.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "networks/network.hpp"
#include "tests/support/random_graph.hpp"

namespace opsched {
namespace {

/// Names of the operators that an operator reads.
std::vector<std::tuple<std::string, int, int>> reads(const Graph& graph, OpId id) {
  std::vector<std::tuple<std::string, int, int>> list;
  for (const Term& term : graph.op(id).terms) {
    for (const Value& v : term) list.emplace_back(graph.op(v.op).name, v.begin, v.end);
    list.emplace_back("", 0, 0);  // the next term
  }
  return list;
}

void expect_blocks_whole(const Graph& graph) {
  SCOPED_TRACE(graph.name());
  std::int64_t macs = 0;
  std::size_t units = 0;
  for (const Block& block : graph.blocks()) {
    const Graph cut = block_graph(graph, block.name);
    EXPECT_EQ(cut.batch(), graph.batch());
    ASSERT_EQ(cut.units().size(), block.ops.size());
    macs += cut.macs();
    units += block.ops.size();
    for (std::size_t i = 0; i < block.ops.size(); ++i) {
      const OpId id = cut.units()[i];
      EXPECT_EQ(cut.op(id).name, graph.op(block.ops[i]).name);
      EXPECT_EQ(cut.op(id).output, graph.op(block.ops[i]).output);
      EXPECT_EQ(cut.op(id).layers, graph.op(block.ops[i]).layers);
      EXPECT_EQ(reads(cut, id), reads(graph, block.ops[i]));
    }
    ASSERT_EQ(cut.blocks().size(), 1U);
    EXPECT_EQ(cut.blocks().front().parts.size(), block.parts.size());
  }
  EXPECT_EQ(units, graph.units().size());
  EXPECT_EQ(macs, graph.macs());
}

TEST(BlockGraph, HoldsWhatTheBlockHolds) {
  for (const char* network : {"inception_v3", "squeezenet", "nasnet", "randwire"})
    expect_blocks_whole(make_network(network));
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = test::RandomGraph(seed).draw(14);
    if (!graph.blocks().empty() && graph.blocks().front().ops.size() < graph.units().size()) expect_blocks_whole(graph);
  }
}

TEST(BlockGraph, UnknownBlocksAreRefusedWithTheKnownOnes) {
  try {
    block_graph(make_network("inception_v3"), "e9");
    FAIL();
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find("'e9'"), std::string::npos) << what;
    EXPECT_NE(what.find("e2, tail"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace opsched

// The networks, compared with the table in the IOS paper.
#include "networks/network.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/graph/fingerprint.hpp"
#include "core/graph/operations.hpp"
#include "core/runtime/program/program.hpp"
#include "networks/wiring.hpp"

namespace opsched {
namespace {

struct Facts {
  std::string name;
  int units;
  std::int64_t macs;        ///< in convolutions
  std::int64_t operations;  ///< GMAC of the table, counted as IOS does
  std::vector<int> blocks;  ///< units per block
  Shape output;
};

/// A temporary folder for each test process.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("opsched_networks_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

/// An edge list with this many sources and sinks.
std::string edge_list(int nodes, int edges, int sources, int sinks) {
  std::vector<std::pair<int, int>> list;
  const auto add = [&](int a, int b) {
    if (a < b && std::ranges::find(list, std::pair(a, b)) == list.end()) list.emplace_back(a, b);
  };
  for (int i = 0; i < sources; ++i) add(i, sources);
  for (int i = sources; i < nodes - sinks; ++i) add(i, i + 1);
  for (int i = nodes - sinks; i < nodes; ++i) add(nodes - sinks - 1, i);
  for (int a = 0; a < nodes - sinks; ++a)
    for (int b = sources; b < nodes && static_cast<int>(list.size()) < edges; ++b) add(a, b);
  std::string text = std::to_string(nodes) + "\n" + std::to_string(list.size()) + "\n";
  for (const auto& [a, b] : list) text += std::to_string(a) + " " + std::to_string(b) + "\n";
  return text;
}

class TableOfNetworks : public testing::TestWithParam<Facts> {};

TEST_P(TableOfNetworks, Holds) {
  const Facts& facts = GetParam();
  const Graph graph = make_network(facts.name);
  EXPECT_EQ(graph.units().size(), facts.units);
  EXPECT_EQ(graph.macs(), facts.macs);
  EXPECT_EQ(ios_operations(graph), facts.operations);
  std::vector<int> blocks;
  for (const Block& block : graph.blocks()) blocks.push_back(static_cast<int>(block.ops.size()));
  EXPECT_EQ(blocks, facts.blocks);
  ASSERT_EQ(graph.outputs().size(), 1u);
  EXPECT_EQ(graph.op(graph.outputs().front()).output, facts.output);
  EXPECT_EQ(graph.inputs().size(), 1u);
  EXPECT_EQ(graph.name(), facts.name);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, TableOfNetworks,
    testing::Values(
        Facts{"inception_v3",
              119,
              5'711'168'096,
              5'786'293'419,
              {7, 9, 9, 9, 6, 12, 12, 12, 12, 8, 11, 11, 1},
              {2048, 1, 1}},
        Facts{"squeezenet", 50, 1'187'100'160, 1'229'663'992, {2, 6, 5, 6, 1, 5, 6, 5, 6, 1, 5, 2}, {1000, 1, 1}},
        Facts{"randwire-paper", 120, 7'821'761'024, 8'067'073'056, {1, 17, 33, 33, 33, 3}, {1280, 1, 1}},
        Facts{"nasnet", 374, 22'184'458'530, 23'120'131'281, {374}, {3360, 1, 1}}),
    [](const auto& info) {
      std::string name = info.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

/// The cost of RandWire depends only on the edges, sources and sinks of its stages; these are the paper's.
TEST(RandWire, TableHoldsForGraphsLikeThePapers) {
  const Folder folder;
  folder.write("ws-16-4-0.75-2.txt", edge_list(16, 32, 6, 1));
  folder.write("ws-32-4-0.75-3.txt", edge_list(32, 64, 4, 5));
  folder.write("ws-32-4-0.75-4.txt", edge_list(32, 64, 5, 2));
  folder.write("ws-32-4-0.75-5.txt", edge_list(32, 64, 6, 4));
  folder.write("ws-320-20-0.75-x.txt", "left alone");
  NetworkOptions options;
  options.edge_lists = folder.path();
  const Graph graph = make_network("randwire", options), paper = make_network("randwire-paper");
  EXPECT_EQ(graph.units().size(), 120u);
  EXPECT_EQ(graph.macs(), paper.macs());
  EXPECT_EQ(ios_operations(graph), ios_operations(paper));
}

/// Stages with the paper's numbers, given as files, give the paper's network.
TEST(RandWire, PapersEdgesAsFilesGiveThePapersNetwork) {
  const Folder folder;
  int number = 0;
  for (const Wiring& wiring : randwire_paper_wirings()) {
    std::string text = std::to_string(wiring.nodes) + "\n" + std::to_string(wiring.edges.size()) + "\n";
    for (const auto& [a, b] : wiring.edges) text += std::to_string(a) + " " + std::to_string(b) + "\n";
    folder.write("ws-" + std::to_string(number++) + ".txt", text);
  }
  NetworkOptions options;
  options.edge_lists = folder.path();
  EXPECT_EQ(named_fingerprint(make_network("randwire", options)), named_fingerprint(make_network("randwire-paper")));
  EXPECT_THROW(make_network("randwire-paper", options), Error);
}

TEST(RandWire, EveryDrawnGraphHas120Operators) {
  std::set<std::int64_t> different;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    NetworkOptions options;
    options.seed = seed;
    const Graph graph = make_network("randwire", options);
    std::vector<std::size_t> blocks;
    for (const Block& block : graph.blocks()) blocks.push_back(block.ops.size());
    EXPECT_EQ(blocks, (std::vector<std::size_t>{1, 17, 33, 33, 33, 3}));
    EXPECT_EQ(graph.outputs().size(), 1u);
    EXPECT_EQ(ios_operations(make_network("randwire", options)), ios_operations(graph));
    different.insert(ios_operations(graph));
  }
  EXPECT_GT(different.size(), 40u);
}

/// A node without edges is both source and sink.
TEST(RandWire, IsolatedNodesAreSourceAndSink) {
  const Folder folder;
  for (int i = 0; i < 4; ++i) folder.write("ws-3-" + std::to_string(i) + ".txt", "3\n1\n0 2\n");
  NetworkOptions options;
  options.edge_lists = folder.path();
  const Graph graph = make_network("randwire", options);
  const OpId join = graph.find("stage2/join"), alone = graph.find("stage2/node1"), stem = graph.find("stem/conv");
  ASSERT_GE(join, 0);
  EXPECT_EQ(std::vector(graph.preds(join).begin(), graph.preds(join).end()),
            (std::vector<OpId>{alone, graph.find("stage2/node2")}));
  EXPECT_EQ(std::vector(graph.preds(alone).begin(), graph.preds(alone).end()), std::vector<OpId>{stem});
}

TEST(WattsStrogatz, HasTheDegreesOfItsDefinition) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 100; ++trial) {
    const int nodes = 6 + static_cast<int>(random() % 60), neighbours = 2 * (1 + static_cast<int>(random() % 2));
    const Wiring wiring = watts_strogatz(nodes, neighbours, 0.75, random);
    EXPECT_EQ(wiring.edges.size(), static_cast<std::size_t>(nodes * neighbours / 2));
    EXPECT_TRUE(std::ranges::is_sorted(wiring.edges));
    EXPECT_EQ(std::ranges::adjacent_find(wiring.edges), wiring.edges.end());
    std::vector<int> degree(nodes, 0);
    for (const auto& [a, b] : wiring.edges) {
      EXPECT_LT(a, b);
      ++degree[a], ++degree[b];
    }
    // Only the far end of an edge is rewired.
    for (int d : degree) EXPECT_GE(d, neighbours / 2);
  }
  const Wiring ring = watts_strogatz(5, 2, 0, random);
  EXPECT_EQ(ring.edges, (std::vector<std::pair<int, int>>{{0, 1}, {0, 4}, {1, 2}, {2, 3}, {3, 4}}));
  const int moved = [&] {
    int count = 0;
    for (const auto& [a, b] : watts_strogatz(1000, 4, 0.25, random).edges) count += std::min(b - a, 1000 - b + a) > 2;
    return count;
  }();
  EXPECT_NEAR(moved, 500, 80);  // of 2000 edges, each rewired with probability 1/4
  EXPECT_THROW(watts_strogatz(8, 3, 0.5, random), Error);
  EXPECT_THROW(watts_strogatz(4, 4, 0.5, random), Error);
  EXPECT_THROW(watts_strogatz(8, 4, 1.5, random), Error);
}

/// The same seed gives the same network on every machine.
TEST(WattsStrogatz, IsTheSameEverywhere) {
  std::mt19937_64 random(1);
  std::string text;
  for (const auto& [a, b] : watts_strogatz(8, 4, 0.75, random).edges)
    text += std::to_string(a) + "-" + std::to_string(b) + " ";
  EXPECT_EQ(text, "0-2 0-3 0-4 0-5 1-3 1-4 1-5 2-3 2-5 2-6 3-5 3-6 3-7 4-5 4-7 6-7 ");
}

struct BadList {
  std::string text, complaint;
};

TEST(EdgeLists, BadOnesAreErrorsNamingTheLine) {
  const Folder folder;
  for (const auto& [text, complaint] : std::vector<BadList>{
           {"", "ends before the number of nodes"},
           {"4\n", "ends before the number of edges"},
           {"four\n1\n0 1\n", "line 1: not the number of nodes"},
           {"99999999999\n1\n0 1\n", "line 1: not the number of nodes"},
           {"0\n0\n", "line 1: the number of nodes must be"},
           {"4\n-1\n", "line 2: the number of edges must be"},
           {"4\n2\n0 1\n", "has 1 edges, but its second line says 2"},
           {"4\n1\n0 1\n1 2\n", "line 4: more than the 1 edges"},
           {"4\n1\n0 4\n", "line 3: node 4 is not one of the 4 nodes"},
           {"4\n1\n-1 2\n", "line 3: node -1"},
           {"4\n1\n2 2\n", "line 3: an edge from a node to itself"},
           {"4\n1\n2 1\n", "line 3: edges go from the lower"},
           {"4\n1\n1\n", "line 3: not an edge"},
           {"4\n1\n1 2 3\n", "line 3: not an edge"},
           {"4\n1\n1 2x\n", "line 3: not an edge"},
           {"4\n3\n0 1\n1 2\n0 1\n", "edge 0 1 is there twice, again as edge number 3"},
       }) {
    const std::string path = folder.write("ws-bad.txt", text);
    try {
      read_edge_list(path);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(complaint), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find(path), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(read_edge_list(folder.path() + "/none.txt"), Error);
  const Wiring wiring = read_edge_list(folder.write("ws-good.txt", "4\r\n2\r\n\r\n1 3\r\n 0\t2"));
  EXPECT_EQ(wiring.nodes, 4);
  EXPECT_EQ(wiring.edges, (std::vector<std::pair<int, int>>{{0, 2}, {1, 3}}));

  NetworkOptions options;
  options.edge_lists = folder.path() + "/none";
  EXPECT_THROW(make_network("randwire", options), Error);
  options.edge_lists = folder.path();  // too few files
  EXPECT_THROW(make_network("randwire", options), Error);
}

TEST(NasNet, HasAPartForEveryCell) {
  const Graph graph = make_network("nasnet");
  ASSERT_EQ(graph.blocks().size(), 1u);
  std::vector<std::size_t> parts;
  for (const auto& part : graph.blocks().front().parts) parts.push_back(part.size());
  std::vector<std::size_t> expected{1, 18, 21};
  for (int group = 0; group < 3; ++group) {
    if (group > 0) expected.push_back(19);
    expected.push_back(18);
    expected.insert(expected.end(), 5, 16);
  }
  expected.insert(expected.end(), {1, 1});
  EXPECT_EQ(parts, expected);
  EXPECT_EQ(parts.size(), 25u);
}

/// Every block of these networks has one operator at its entry and one at its exit.
TEST(Networks, BlocksHaveOneExit) {
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name);
    for (const Block& block : graph.blocks()) {
      int exits = 0;
      for (OpId id : block.ops) {
        const auto succs = graph.succs(id);
        exits += succs.empty() || std::ranges::any_of(succs, [&](OpId s) { return s > block.ops.back(); });
      }
      EXPECT_EQ(exits, 1) << info.name << ' ' << block.name;
    }
  }
}

TEST(Networks, BatchAndImageAreParameters) {
  for (const NetworkInfo& info : networks()) {
    NetworkOptions options;
    options.batch = 4;
    options.image = 2 * info.image;
    const Graph graph = make_network(info.name, options);
    EXPECT_EQ(graph.batch(), 4);
    EXPECT_EQ(graph.op(graph.inputs().front()).output, (Shape{3, 2 * info.image, 2 * info.image}));
    const Graph usual = make_network(info.name);
    EXPECT_EQ(graph.size(), usual.size());
    EXPECT_GT(graph.macs(), 3 * usual.macs());
    EXPECT_EQ(graph.op(graph.outputs().front()).output, usual.op(usual.outputs().front()).output);
  }
}

/// Every size gives a graph that can be scheduled and lowered, or an error that names the operator and, if the image is
/// too small, the smallest size. No smaller size works, and every larger one does.
TEST(Networks, EveryImageSizeWorksOrSaysWhichWould) {
  std::vector<int> sizes;
  for (int image = 1; image <= 128; ++image) sizes.push_back(image);
  sizes.insert(sizes.end(), {191, 255, 256, 257, 511, 512, 1023, 4096, 16384});
  for (const NetworkInfo& info : networks()) {
    int least = 0;
    for (int image : sizes) {
      SCOPED_TRACE(info.name + " " + std::to_string(image));
      NetworkOptions options;
      options.image = image;
      try {
        const Graph graph = make_network(info.name, options);
        if (least == 0) least = image;
        EXPECT_EQ(graph.op(graph.inputs().front()).output, (Shape{3, image, image}));
        Schedule one_by_one;
        one_by_one.devices.resize(1);
        for (OpId op : graph.units()) one_by_one.devices[0].stages.push_back({.groups = {{op}}});
        EXPECT_NO_THROW(lower(graph, one_by_one, {}));
      } catch (const Error& e) {
        const std::string complaint = e.what();
        EXPECT_NE(complaint.find("operator '"), std::string::npos) << complaint;
        if (image > info.image) {
          EXPECT_NE(complaint.find("more than"), std::string::npos) << complaint;
          continue;
        }
        EXPECT_EQ(least, 0) << "smaller ones work: " << complaint;
        NetworkOptions said;
        const std::size_t at = complaint.find("the least image size is ");
        ASSERT_NE(at, std::string::npos) << complaint;
        const int needed = std::stoi(complaint.substr(at + 24));
        EXPECT_GT(needed, image);
        said.image = needed;
        EXPECT_NO_THROW(make_network(info.name, said));
        said.image = needed - 1;
        EXPECT_THROW(make_network(info.name, said), Error);
      }
    }
    EXPECT_GT(least, 0);
  }
}

TEST(Networks, BadOptionsAreErrors) {
  EXPECT_THROW(
      try { make_network("resnet"); } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("inception_v3, squeezenet, randwire, randwire-paper, nasnet"),
                  std::string::npos)
            << e.what();
        throw;
      },
      Error);
  for (const NetworkInfo& info : networks()) {
    for (int image : {-1, 1 << 20}) {
      NetworkOptions options;
      options.image = image;
      EXPECT_THROW(make_network(info.name, options), Error) << info.name << ' ' << image;
    }
    NetworkOptions options;
    options.batch = 0;
    EXPECT_THROW(make_network(info.name, options), Error);
  }
}

}  // namespace
}  // namespace opsched

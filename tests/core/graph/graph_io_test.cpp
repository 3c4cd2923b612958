// Graph files: round trips, and that a bad file causes an Error and nothing else. IOS's files: ios_json_test.cpp.
#include "core/graph/files/graph_io.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/describe.hpp"
#include "networks/network.hpp"
#include "tests/support/graph_files.hpp"
#include "tests/support/random_graph.hpp"

namespace opsched {
namespace {

using test::expect_complaint;
using test::expect_equal;

using Json = nlohmann::ordered_json;

// ---- round trips

TEST(GraphJson, NetworksComeBackEqual) {
  for (const NetworkInfo& info : networks()) {
    NetworkOptions options;
    options.batch = 3;
    const Graph graph = make_network(info.name, options);
    const std::string text = graph_to_json(graph);
    const Graph again = parse_graph(text, info.name);
    expect_equal(graph, again);
    EXPECT_EQ(graph_to_json(again), text);
  }
}

TEST(GraphJson, RandomGraphsComeBackEqual) {
  for (int seed = 0; seed < 200; ++seed) {
    const Graph graph = test::RandomGraph(seed).draw(seed % 40);
    const std::string text = graph_to_json(graph);
    const Graph again = parse_graph(text, "random");
    expect_equal(graph, again);
    EXPECT_EQ(graph_to_json(again), text);
  }
}

TEST(GraphJson, FilesAreReadWhicheverTheyAre) {
  const auto folder = std::filesystem::temp_directory_path() / ("opsched_graphs_" + std::to_string(getpid()));
  const Graph graph = make_network("squeezenet");
  const std::string own = folder / "own.json", ios = folder / "ios.json", none = folder / "none.json";
  write_file_atomically(own, graph_to_json(graph));
  write_file_atomically(ios, graph_to_ios_json(graph));
  expect_equal(load_graph(own), graph);
  expect_equal(load_graph(ios), graph);
  EXPECT_THROW(load_graph(none), Error);
  EXPECT_THROW(load_graph(folder), Error);
  std::filesystem::resize_file(own, (std::int64_t{64} << 20) + 1);
  EXPECT_THROW(load_graph(own), Error);
  std::filesystem::remove_all(folder);
}

TEST(GraphJson, OperatorsAndBlocksMayStandInAnyOrder) {
  std::mt19937_64 random(5);
  for (const char* name : {"inception_v3", "nasnet"}) {
    const Graph graph = make_network(name);
    Json json = Json::parse(graph_to_json(graph));
    std::shuffle(json["operators"].begin(), json["operators"].end(), random);
    std::shuffle(json["blocks"].begin(), json["blocks"].end(), random);
    for (Json& block : json["blocks"]) std::shuffle(block["operators"].begin(), block["operators"].end(), random);
    const Graph again = parse_graph(json.dump(), name);
    ASSERT_EQ(again.size(), graph.size());
    ASSERT_EQ(again.blocks().size(), graph.blocks().size());
    EXPECT_EQ(again.macs(), graph.macs());
    for (std::size_t b = 0; b < graph.blocks().size(); ++b) {
      EXPECT_EQ(again.blocks()[b].name, graph.blocks()[b].name);
      EXPECT_EQ(again.blocks()[b].ops.size(), graph.blocks()[b].ops.size());
      EXPECT_EQ(again.blocks()[b].parts.size(), graph.blocks()[b].parts.size());
    }
    for (OpId id = 0; id < graph.size(); ++id) {
      const OpId other = again.find(graph.op(id).name);
      ASSERT_GE(other, 0);
      EXPECT_EQ(again.op(other).output, graph.op(id).output);
      EXPECT_EQ(again.preds(other).size(), graph.preds(id).size());
    }
  }
}

TEST(GraphJson, TheExampleInTheDocsIsRead) {
  const std::string page = read_file(OPSCHED_TEST_DATA "/../../docs/graph_files.md");
  const std::string fence = "```json\n";
  const auto begin = page.find(fence) + fence.size();
  const Graph graph = parse_graph(page.substr(begin, page.find("```", begin) - begin), "docs");
  EXPECT_EQ(graph.size(), 5);
  EXPECT_EQ(graph.op(graph.outputs().front()).output, (Shape{6, 8, 8}));
  EXPECT_EQ(graph.blocks().front().parts.size(), 2u);
}

// ---- bad files

/// A file of three operators, with `from` replaced by `to`.
std::string with(const std::string& from, const std::string& to) {
  std::string text = R"({"format": "opsched-graph", "version": 1, "name": "g", "batch": 2, "operators": [
    {"name": "in", "shape": [4, 8, 8]},
    {"name": "a", "inputs": [[["in", 0, 4]]], "layers": [{"type": "conv2d", "out_channels": 6}], "output": [6, 8, 8]},
    {"name": "b", "inputs": [[["a", 2, 6], ["in", 0, 4]]], "layers": [{"type": "pool2d", "pool": "max"}]}],
    "blocks": [{"name": "x", "operators": ["a", "b"], "parts": [["a"], ["b"]]}]})";
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(GraphJson, BadFilesAreErrorsNamingTheCulprit) {
  EXPECT_NO_THROW(parse_graph(with("4", "4"), "good"));
  expect_complaint("", "not valid JSON");
  expect_complaint("[]", "neither an opsched graph");
  expect_complaint("{}", "neither an opsched graph");
  expect_complaint("{\"format\": \"onnx\"}", "'onnx'");
  expect_complaint(std::string(100000, '['), "nested deeper");
  expect_complaint(with("\"version\": 1", "\"version\": 2"), "version 2");
  expect_complaint(with("\"batch\": 2", "\"batch\": 0"), "batch");
  expect_complaint(with("\"batch\": 2", "\"batch\": 1e3"), "integer");
  expect_complaint(with("\"batch\": 2", "\"batch\": NaN"), "not valid JSON");
  expect_complaint(with("\"batch\": 2", "\"batch\": 100000000"), "batch");
  expect_complaint(with("\"batch\": 2", "\"bath\": 2"), "unknown key 'bath'; known: format");
  expect_complaint(with("\"name\": \"b\"", "\"name\": \"a\""), "'a': the name is used twice");
  expect_complaint(with("\"in\", 0, 4]]]", "\"inn\", 0, 4]]]"), "operator 'a' reads 'inn', which is not there");
  expect_complaint(with("\"in\", 0, 4]]]", "\"b\", 0, 4]]]"), "cycle: 'a', 'b'");
  expect_complaint(with("\"in\", 0, 4]]]", "\"a\", 0, 4]]]"), "cycle: 'a'");
  expect_complaint(with("\"a\", 2, 6", "\"a\", 3, 7"), "'b': reads channels [3, 7) of 'a', which has 6");
  expect_complaint(with("\"a\", 2, 6", "\"a\", 6, 6"), "'b': reads channels [6, 6)");
  expect_complaint(with("\"a\", 2, 6", "\"a\", -1, 3"), "integer of at least 0");
  expect_complaint(with("\"a\", 2, 6", "\"a\", 2, 5"), "'b': adds values of different width");
  expect_complaint(with("[\"a\", 2, 6]", "[\"a\", 2]"), "[operator, begin, end]");
  expect_complaint(with("\"output\": [6, 8, 8]", "\"output\": [6, 8, 7]"), "'a': a shape is stated as 6x8x7");
  expect_complaint(with("\"shape\": [4, 8, 8]", "\"shape\": [4, 0, 8]"), "operator 'in', 'shape'");
  expect_complaint(with("\"shape\": [4, 8, 8]", "\"shape\": [4, 8]"), "three integers");
  expect_complaint(with("\"shape\": [4, 8, 8]", "\"shape\": [4, 16777216, 16777216]"), "elements");
  expect_complaint(with("\"shape\": [4, 8, 8]", "\"shape\": [4, 2147483647, 8]"), "'in'");
  expect_complaint(with("\"shape\": [4, 8, 8]", "\"shape\": [4, 99999999999999999999, 8]"), "integer");
  expect_complaint(with("\"out_channels\": 6", "\"out_channels\": 16777217"), "'a'");
  expect_complaint(with("\"out_channels\": 6", "\"out_channels\": 6, \"kernel\": [9, 1]"), "'a'");
  expect_complaint(with("\"out_channels\": 6", "\"out_channels\": 6, \"groups\": 4"), "groups (4)");
  expect_complaint(with("\"out_channels\": 6", "\"out_channels\": 6, \"stride\": 1"), "'stride': must be a list");
  expect_complaint(with("\"out_channels\": 6", "\"out_channels\": 6, \"strides\": [1, 1]"), "unknown key 'strides'");
  expect_complaint(with("\"out_channels\": 6",
                        "\"out_channels\": 6, \"kernel\": [16777216, 16777216], \"padding\": [16777216, 16777216]"),
                   "'a'");
  expect_complaint(with("\"type\": \"conv2d\"", "\"type\": \"conv3d\""), "unknown layer type 'conv3d'; known: conv2d");
  expect_complaint(with("\"pool\": \"max\"", "\"pool\": \"min\""), "'min' is unknown; known: max, avg, global_avg");
  expect_complaint(with("\"operators\": [\"a\", \"b\"]", "\"operators\": [\"a\"]"), "parts are not a split");
  expect_complaint(with("\"operators\": [\"a\", \"b\"]", "\"operators\": [\"a\", \"in\"]"), "block 'x'");
  expect_complaint(with("[\"a\", \"b\"]", "[\"a\", \"c\"]"), "block 'x': operator 'c' is not there");
  expect_complaint(with("[[\"a\"], [\"b\"]]", "[[\"b\"], [\"a\"]]"), "'b' reads 'a' of a later part");
  expect_complaint(with("[[\"a\"], [\"b\"]]", "[[], [\"a\", \"b\"]]"), "an empty part");
  expect_complaint(with("[{\"name\": \"x\", \"operators\": [\"a\", \"b\"], \"parts\": [[\"a\"], [\"b\"]]}]",
                        "[{\"name\": \"x\", \"operators\": [\"a\"]}]"),
                   "'b': in no block");
}

TEST(GraphJson, BlocksThatWaitForEachOtherAreAnError) {
  Json json = Json::parse(with("4", "4"));
  json["operators"].push_back({{"name", "c"}, {"inputs", {{{"b", 0, 4}}}}, {"layers", Json::array()}});
  json["blocks"] = {{{"name", "x"}, {"operators", {"a", "c"}}}, {{"name", "y"}, {"operators", {"b"}}}};
  expect_complaint(json.dump(), "cycle: 'x', 'y'");
  json["blocks"] = {{{"name", "x"}, {"operators", {"a", "a"}}}, {{"name", "y"}, {"operators", {"b", "c"}}}};
  expect_complaint(json.dump(), "twice");
}

TEST(GraphJson, WithoutBlocksItGetsNaturalOnes) {
  Json json = Json::parse(with("4", "4"));
  json.erase("blocks");
  const Graph graph = parse_graph(json.dump(), "g");
  ASSERT_EQ(graph.blocks().size(), 1u);
  EXPECT_EQ(graph.blocks().front().ops, (std::vector<OpId>{1, 2}));
}

/// A damaged file is either read or refused; sanitizers find the rest.
TEST(GraphJson, DamagedFilesAreErrors) {
  std::mt19937_64 random(11);
  const Graph graph = test::RandomGraph(3).draw(30);
  for (const std::string& text : {graph_to_json(graph), graph_to_json(make_network("squeezenet")),
                                  graph_to_ios_json(make_network("squeezenet")), std::string(test::ios_file)}) {
    for (std::size_t size = 0; size + 3 < text.size(); size += 97)
      EXPECT_THROW(parse_graph(text.substr(0, size), "truncated"), Error) << size;
    int refused = 0;
    for (int trial = 0; trial < 300; ++trial) {
      std::string damaged = text;
      for (int flips = 1 + trial % 3; flips > 0; --flips)
        damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
      try {
        parse_graph(damaged, "damaged");
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 200);
  }
}

// ---- for people

TEST(Dot, HasEveryOperatorAndEdge) {
  const Graph graph = make_network("nasnet");
  const std::string text = graph_to_dot(graph);
  const auto count = [&](const std::string& what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  };
  std::size_t edges = 0;
  for (OpId id = 0; id < graph.size(); ++id) edges += graph.succs(id).size();
  EXPECT_EQ(count(" -> "), edges);
  EXPECT_EQ(count("[label="), static_cast<std::size_t>(graph.size()));
  EXPECT_EQ(count("subgraph"), 26u);
  EXPECT_EQ(count("{"), count("}"));
  EXPECT_EQ(graph_to_dot(test::RandomGraph(1).draw(4)).find("digraph \"random \\\"4\\\" \u00e4\" {"), 0u);
}

TEST(Describe, TellsTotalsBlocksAndOperators) {
  const std::string text = describe(make_network("inception_v3"), true);
  for (const char* part :
       {"119 units in 13 blocks", "5.786 GMAC", "5.711 GMAC", "input 3x299x299", "c4 ", "2048x1x1",
        "conv 1x7 pad 0x3 -> 192", "max pool 3x3/2", "average pool 3x3 pad 1", "global average pool", "e2/join"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_NE(describe(make_network("nasnet")).find("part 25"), std::string::npos);
}

TEST(Graph, WithBatchChangesNothingElse) {
  const Graph graph = make_network("squeezenet");
  const Graph more = graph.with_batch(7);
  EXPECT_EQ(more.batch(), 7);
  expect_equal(more.with_batch(1), graph);
  EXPECT_THROW(graph.with_batch(0), Error);
}

}  // namespace
}  // namespace opsched

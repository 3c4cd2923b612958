// IOS's graph files: round trips, what they cannot express, and bad files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "networks/network.hpp"
#include "tests/support/graph_files.hpp"

namespace opsched {
namespace {

using test::expect_complaint;
using test::expect_equal;
using test::ios_file;

TEST(IosJson, NetworksComeBackEqual) {
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name);
    const std::string text = graph_to_ios_json(graph);
    const Graph again = parse_graph(text, info.name);
    expect_equal(graph, again);
    EXPECT_EQ(graph_to_ios_json(again), text);
  }
}

TEST(IosJson, EveryNodeTypeIsRead) {
  const Graph graph = parse_graph(ios_file, "small");
  EXPECT_EQ(graph.name(), "small");
  EXPECT_EQ(graph.batch(), 1);
  ASSERT_EQ(graph.size(), 7);
  ASSERT_EQ(graph.blocks().size(), 2u);
  EXPECT_TRUE(graph.blocks()[0].parts.empty());
  EXPECT_EQ(graph.blocks()[0].ops, (std::vector<OpId>{1, 2, 3, 4, 5}));
  EXPECT_EQ(*graph.op(1).as_conv(),
            (Conv2d{.out_channels = 6, .kernel = {3, 3}, .padding = {1, 1}, .groups = 2, .act = Activation::tanh}));
  EXPECT_EQ(graph.op(2).name, "5");
  EXPECT_EQ(graph.op(2).terms, (std::vector<Term>{{{1, 0, 2}, {1, 4, 6}}, {{0, 0, 4}}}));
  EXPECT_EQ(
      graph.op(2).layers,
      (std::vector<Layer>{Activate{},
                          Conv2d{.out_channels = 6, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .groups = 6},
                          Conv2d{.out_channels = 5}}));
  EXPECT_EQ(graph.op(4).layers, std::vector<Layer>{Activate{Activation::tanh}});
  EXPECT_TRUE(graph.op(5).is_join());
  EXPECT_EQ(graph.op(6).layers, std::vector<Layer>{Pool2d{.type = PoolType::global_avg}});
  const std::string text = graph_to_ios_json(graph);
  expect_equal(parse_graph(text, "again"), graph);
  // The written file has every key that IOS's reader needs.
  using Json = nlohmann::ordered_json;
  const Json json = Json::parse(text);
  EXPECT_EQ(json["blocks"][1]["exit_node"]["kernel"], Json({4, 4}));
  EXPECT_EQ(json["blocks"][0]["inner_nodes"][1]["nodes"][2]["inputs"], Json::parse(R"([[["5/1", 0, 6]]])"));
  EXPECT_EQ(json["blocks"][1]["enter_node"], json["blocks"][0]["exit_node"]);
}

TEST(IosJson, WhatItCannotSayIsAnError) {
  const auto fails = [](const Graph& graph) { EXPECT_THROW(graph_to_ios_json(graph), Error); };
  Graph two_inputs("g");
  two_inputs.add_input("a", {1, 4, 4});
  const OpId b = two_inputs.add_input("b", {1, 4, 4});
  two_inputs.add("c", {two_inputs.all(b)}, {});
  fails(two_inputs);

  Graph two_exits("g");
  const OpId in = two_exits.add_input("in", {1, 4, 4});
  two_exits.add("a", {two_exits.all(in)}, {});
  two_exits.add("b", {two_exits.all(in)}, {});
  two_exits.end_block("block");
  fails(two_exits);

  Graph skips("g");
  const OpId start = skips.add_input("in", {1, 4, 4});
  const OpId first = skips.add("a", {skips.all(start)}, {});
  skips.end_block("one");
  skips.add("b", {{Value{start, 0, 1}, Value{first, 0, 1}}}, {});
  skips.end_block("two");
  fails(skips);

  Graph average("g");
  average.add_input("in", {1, 4, 4});
  average.add("a", {average.all(0)},
              {Pool2d{.type = PoolType::avg, .kernel = {3, 3}, .padding = {1, 1}, .count_padding = false}});
  average.end_block("block");
  fails(average);
}

TEST(IosJson, BadFilesAreErrorsNamingTheNode) {
  const auto replaced = [](const std::string& from, const std::string& to) {
    std::string text = ios_file;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  expect_complaint(replaced("\"op_type\": \"add\"", "\"op_type\": \"max\""), "node '8': element-wise 'max'");
  expect_complaint(replaced("\"act\": \"tanh\"", "\"act\": \"swish\""), "node '1', 'act': activation 'swish'");
  expect_complaint(replaced("\"type\": \"conv\"", "\"type\": \"deconv\""), "node '1': type 'deconv'");
  expect_complaint(replaced("\"type\": \"conv\"", "\"type\": \"placeholder\""), "node '1': type 'placeholder'");
  expect_complaint(replaced("\"pool_type\": \"max\"", "\"pool_type\": \"global_max\""), "node '6': pool_type");
  expect_complaint(replaced("[[\"2\", 0, 6]]", "[[\"1\", 0, 6]]"),
                   "node '3': in a sequential, it must read all of '2'");
  expect_complaint(replaced("[[\"2\", 0, 6]]", "[[\"2\", 0, 5]]"), "node '3': in a sequential");
  expect_complaint(replaced("[[\"5\", 0, 5]]", "[[\"4\", 0, 5]]"), "'7' reads '4', which is not there");
  expect_complaint(replaced("\"stride\": [2, 2], ", ""), "node '3': 'stride' is missing");
  expect_complaint(replaced("[6, 4, 4]", "[6, 4, 5]"), "'5': a shape is stated as 6x4x5, but works out as 6x4x4");
  expect_complaint(replaced("\"output_shape\": [4, 8, 8]}", "\"output_shape\": [4, 8, 9]}"), "stated");
  expect_complaint(replaced("\"enter_name\": \"8\"", "\"enter_name\": \"80\""), "entered at '80', which is not there");
  expect_complaint(replaced("[[\"1\", 0, 6]]", "[[\"9\", 0, 5]]"), "cycle");
  EXPECT_NO_THROW(parse_graph(replaced("\"name\": \"small\",", ""), "good"));
}

}  // namespace
}  // namespace opsched

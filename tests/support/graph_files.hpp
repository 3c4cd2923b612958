// For tests of graph files: comparison of graphs, refused files, and a file of IOS's.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/fingerprint.hpp"

namespace opsched::test {

/// Compares every field; a failure names the first that differs.
inline void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.name(), b.name());
  EXPECT_EQ(a.batch(), b.batch());
  ASSERT_EQ(a.size(), b.size());
  for (OpId id = 0; id < a.size(); ++id) {
    EXPECT_EQ(a.op(id).name, b.op(id).name);
    EXPECT_EQ(a.op(id).terms, b.op(id).terms) << a.op(id).name;
    EXPECT_EQ(a.op(id).layers, b.op(id).layers) << a.op(id).name;
    EXPECT_EQ(a.op(id).input, b.op(id).input) << a.op(id).name;
    EXPECT_EQ(a.op(id).output, b.op(id).output) << a.op(id).name;
  }
  ASSERT_EQ(a.blocks().size(), b.blocks().size());
  for (std::size_t i = 0; i < a.blocks().size(); ++i) {
    EXPECT_EQ(a.blocks()[i].name, b.blocks()[i].name);
    EXPECT_EQ(a.blocks()[i].ops, b.blocks()[i].ops);
    EXPECT_EQ(a.blocks()[i].parts, b.blocks()[i].parts);
  }
  // So that measurements and schedules of one are valid for the other.
  EXPECT_EQ(fingerprint(a), fingerprint(b));
  EXPECT_EQ(named_fingerprint(a), named_fingerprint(b));
}

/// The text of the Error; fails if there is none.
inline std::string complaint(const std::string& text) {
  try {
    parse_graph(text, "some.json");
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("some.json"), std::string::npos) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

/// Fails unless the file is refused with an Error that contains this.
inline void expect_complaint(const std::string& text, const std::string& about) {
  const std::string said = complaint(text);
  EXPECT_NE(said.find(about), std::string::npos) << said << "\nwhere this was expected: " << about;
}

/// A file as written by IOS's public code: every node type, none of our own keys.
inline constexpr const char* ios_file = R"({"name": "small",
"input": {"type": "placeholder", "name": "0", "hint_name": "0", "output_shape": [4, 8, 8]},
"blocks": [
 {"enter_name": "0",
  "enter_node": {"type": "placeholder", "name": "0", "hint_name": "0", "output_shape": [4, 8, 8]},
  "inner_nodes": [
   {"type": "conv", "name": "1", "hint_name": "1", "inputs": [[["0", 0, 4]]], "out_channels": 6, "kernel": [3, 3],
    "stride": [1, 1], "padding": [1, 1], "groups": 2, "act": "tanh", "output_shape": [6, 8, 8]},
   {"type": "sequential", "name": "5", "hint_name": "ReluSepConv", "nodes": [
     {"type": "relu", "name": "2", "hint_name": "2", "inputs": [[["1", 0, 2], ["1", 4, 6]], [["0", 0, 4]]],
      "output_shape": [6, 8, 8]},
     {"type": "conv", "name": "3", "hint_name": "3", "inputs": [[["2", 0, 6]]], "out_channels": 6, "kernel": [3, 3],
      "stride": [2, 2], "padding": [1, 1], "groups": 6, "act": "identity", "output_shape": [6, 4, 4]},
     {"type": "conv", "name": "4", "hint_name": "4", "inputs": null, "out_channels": 5, "kernel": [1, 1],
      "stride": [1, 1], "padding": [0, 0], "groups": 1, "act": "identity", "output_shape": [5, 4, 4]}],
    "output_shape": [5, 4, 4]},
   {"type": "pool", "name": "6", "hint_name": "6", "inputs": [[["1", 0, 6]]], "pool_type": "max", "kernel": [2, 2],
    "stride": [2, 2], "padding": [0, 0], "output_shape": [6, 4, 4]},
   {"type": "activation", "name": "7", "hint_name": "7", "inputs": [[["5", 0, 5]]], "act_type": "tanh",
    "inplace": false, "output_shape": [5, 4, 4]}],
  "exit_node": {"type": "element", "name": "8", "hint_name": "8", "inputs": [[["7", 0, 5], ["6", 1, 6]]],
   "op_type": "add", "output_shape": [5, 4, 4]},
  "stages": [[["1"]], [["5"], ["6"]], [["7", "8"]]]},
 {"enter_name": "8", "enter_node": {"type": "identity", "name": "8"}, "inner_nodes": [],
  "exit_node": {"type": "pool", "name": "9", "hint_name": "9", "inputs": [[["8", 0, 5]]], "pool_type": "global_avg",
   "kernel": [4, 4], "stride": [1, 1], "padding": [0, 0], "output_shape": [5, 1, 1]},
  "stages": [[["9"]]]}]})";

}  // namespace opsched::test

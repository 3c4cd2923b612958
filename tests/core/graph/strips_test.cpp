// Operators split into strips of rows and of images.
#include "core/graph/strips.hpp"

#include <gtest/gtest.h>

#include "core/cost/transfer.hpp"
#include "core/error.hpp"
#include "tests/support/contains.hpp"

namespace opsched {
namespace {

Conv2d square(int out, int kernel, int stride = 1) {
  return {
      .out_channels = out, .kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}};
}

/// in -> a (3x3) -> b (3x3, stride 2) -> g (global average) -> c.
Graph chain() {
  Graph graph("chain");
  const OpId in = graph.add_input("in", {3, 16, 16});
  const OpId a = graph.add("a", {graph.all(in)}, {square(4, 3)});
  const OpId b = graph.add("b", {graph.all(a)}, {square(4, 3, 2)});
  graph.end_block("first");
  const OpId g = graph.add("g", {graph.all(b)}, {Pool2d{.type = PoolType::global_avg}});
  graph.add("c", {graph.all(g)}, {square(5, 1)});
  graph.end_block("second");
  return graph;
}

std::string refusal_of(const auto& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Strips, ReadTheRowsOfTheirWindowsAndArePaddedAtTheEdgeOnly) {
  const Graph graph = chain();
  const Strip top = strip_of(graph.op(graph.find("b")), {0, 4}), bottom = strip_of(graph.op(graph.find("b")), {4, 8});
  EXPECT_EQ(top.reads, (Range{0, 8}));
  EXPECT_EQ(bottom.reads, (Range{7, 16}));
  const auto padding = [](const Strip& strip) {
    const Conv2d& conv = std::get<Conv2d>(strip.layers.front());
    return std::array{conv.padding[0], conv.padding[0] + conv.more_padding[0], conv.padding[1]};
  };
  EXPECT_EQ(padding(top), (std::array{1, 0, 1}));
  EXPECT_EQ(padding(bottom), (std::array{0, 0, 1}));  // the last window ends inside the image
}

TEST(Strips, OfSeveralLayersReadWhatTheFirstOneNeeds) {
  Graph graph("unit");
  const OpId in = graph.add_input("in", {4, 20, 20});
  const Conv2d depthwise{.out_channels = 4, .kernel = {5, 5}, .padding = {2, 2}, .groups = 4};
  const Pool2d pool{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}};
  const Operator op = graph.op(graph.add("unit", {graph.all(in)}, {Activate{}, depthwise, square(6, 1), pool}));
  EXPECT_EQ(strip_of(op, {8, 12}).reads, (Range{5, 15}));
  EXPECT_EQ(strip_of(op, {0, 4}).reads, (Range{0, 7}));
}

TEST(Strips, MakeAGraphThatReadsTheStack) {
  const Graph whole = chain();
  const OpId a = whole.find("a"), b = whole.find("b");
  const Graph graph = whole.with_splits({{a, {8}}, {b, {2, 4}}});
  const auto id = [&](const char* name) { return graph.find(name); };
  const auto ids = [&](std::span<const OpId> list) { return std::vector<OpId>(list.begin(), list.end()); };
  EXPECT_EQ(graph.strips(id("b")), (std::vector{id("b/0"), id("b/1"), id("b/2")}));
  EXPECT_TRUE(graph.op(id("a")).is_stack());
  EXPECT_EQ(ids(graph.preds(id("b/0"))), (std::vector{id("a/0")}));             // rows 0 to 3
  EXPECT_EQ(ids(graph.preds(id("b/1"))), (std::vector{id("a/0")}));             // rows 3 to 7
  EXPECT_EQ(ids(graph.preds(id("b/2"))), (std::vector{id("a/0"), id("a/1")}));  // rows 7 to 15
  EXPECT_EQ(ids(graph.preds(id("g"))), graph.strips(id("b")));
  EXPECT_EQ(graph.units().size(), whole.units().size() + 3);
  EXPECT_EQ(graph.outputs(), (std::vector{id("c")}));
  EXPECT_EQ(graph.blocks()[0].ops, (std::vector{id("a/0"), id("a/1"), id("b/0"), id("b/1"), id("b/2")}));
  EXPECT_EQ(graph.op(id("g")).input, whole.op(whole.find("g")).input);
  for (OpId op = 0; op < graph.size(); ++op) EXPECT_LE(graph.preds(op).empty() ? -1 : graph.preds(op).back(), op);
  EXPECT_EQ(graph.origin(id("b/1")), b);
  EXPECT_EQ(graph.unsplit().size(), whole.size());
  // Of the rows that the last strip of b reads, one belongs to the strip above: the halo.
  EXPECT_EQ(transfer_bytes(graph, id("a/0"), id("b/2"), Precision::fp32), 4 * 16 * 4);
  EXPECT_EQ(transfer_bytes(graph, id("a/1"), id("b/2"), Precision::fp16), 4 * 8 * 16 * 2);
  EXPECT_EQ(transfer_bytes(graph, id("b/1"), id("g"), Precision::fp32), 4 * 2 * 8 * 4);
}

TEST(Strips, AreRefusedByName) {
  const Graph graph = chain();
  const auto refused = [&](std::vector<Split> splits) {
    return refusal_of([&] { graph.with_splits(std::move(splits)); });
  };
  const OpId a = graph.find("a"), b = graph.find("b");
  EXPECT_PRED2(test::contains, refused({{graph.find("c"), {1}}}), "'c' cannot be split into rows: it has one row");
  EXPECT_PRED2(test::contains, refused({{graph.find("g"), {8}}}), "between 1 and 7");
  EXPECT_PRED2(test::contains, refused({{a, {1}, Along::images}}), "'a' cannot be split into images: it computes one");
  EXPECT_PRED2(test::contains, refused({{graph.find("in"), {1}}}), "'in' cannot be split");
  EXPECT_PRED2(test::contains, refused({{a, {}}}), "two strips at least");
  EXPECT_PRED2(test::contains, refused({{a, {16}}}), "between 1 and 15");
  EXPECT_PRED2(test::contains, refused({{a, {8, 4}}}), "ascending");
  EXPECT_PRED2(test::contains, refused({{b, {4}}, {a, {4}}}), "ascending order");
  EXPECT_PRED2(test::contains, refused({{99, {4}}}), "no operator 99");
  const Graph split = graph.with_splits({{a, {8}}});
  EXPECT_PRED2(test::contains, refusal_of([&] { split.with_splits({{a, {8}}}); }), "split already");
}

TEST(Strips, OfImagesReadTheirImagesAlone) {
  const Graph whole = chain().with_batch(5);
  const OpId a = whole.find("a"), b = whole.find("b"), g = whole.find("g"), c = whole.find("c");
  const Graph graph =
      whole.with_splits({{a, {2}, Along::images}, {b, {4}}, {g, {2, 4}, Along::images}, {c, {2}, Along::images}});
  const auto id = [&](const char* name) { return graph.find(name); };
  const auto preds = [&](const char* name) {
    const auto list = graph.preds(id(name));
    return std::vector<OpId>(list.begin(), list.end());
  };
  EXPECT_EQ(graph.images(id("a/0")), 2);
  EXPECT_EQ(graph.images(id("a/1")), 3);
  EXPECT_EQ(graph.images(id("b/0")), 5);
  EXPECT_EQ(preds("b/0"), (std::vector{id("a/0"), id("a/1")}));  // all images, upper rows
  EXPECT_EQ(preds("g/1"), (std::vector{id("b/0"), id("b/1")}));  // two images, all rows
  EXPECT_EQ(preds("c/0"), (std::vector{id("g/0")}));
  EXPECT_EQ(preds("c/1"), (std::vector{id("g/1"), id("g/2")}));
  // The output is assembled by an operator of the original name.
  EXPECT_EQ(preds("c"), (std::vector{id("c/0"), id("c/1")}));
  EXPECT_TRUE(graph.op(id("c")).is_join());
  EXPECT_TRUE(graph.op(id("c/strips")).is_stack());
  EXPECT_EQ(graph.outputs(), (std::vector{id("c")}));
  EXPECT_EQ(graph.strip(id("c/1")), 1);
  EXPECT_EQ(graph.strip(id("c")), -1);
  // The upper half has 8 rows and the row below, of three images; a whole image has 4 x 8 x 8 values.
  EXPECT_EQ(transfer_bytes(graph, id("a/1"), id("b/0"), Precision::fp32), 3 * 4 * 8 * 16 * 4);
  EXPECT_EQ(transfer_bytes(graph, id("b/1"), id("g/2"), Precision::fp32), 1 * 4 * 4 * 8 * 4);
  EXPECT_THROW(graph.with_batch(2), Error);  // three strips of g
  EXPECT_EQ(graph.with_batch(8).images(graph.find("a/1")), 6);
}

TEST(Strips, OfGlobalPoolsArePutTogether) {
  Graph whole("pools", 2);
  const OpId in = whole.add_input("in", {3, 16, 10});
  const OpId average = whole.add("average", {whole.all(in)}, {Activate{}, Pool2d{.type = PoolType::global_avg}});
  const OpId largest = whole.add("largest", {whole.all(in)}, {Pool2d{.kernel = {16, 10}}});
  whole.add("out", {whole.all(average), whole.all(largest)}, {});
  whole.end_block("all");
  const Graph graph = whole.with_splits({{average, {5}}, {largest, {4, 12}}});
  const auto id = [&](const char* name) { return graph.find(name); };
  const auto pool = [&](const char* name) { return std::get<Pool2d>(graph.op(id(name)).layers.back()); };
  // Partial sums of an average over 16 x 10 pixels.
  EXPECT_EQ(pool("average/1").kernel, (std::array{16, 10}));
  EXPECT_EQ(pool("average/1").padding, (std::array{5, 0}));
  EXPECT_EQ(pool("average/1").more_padding, (std::array{-5, 0}));
  EXPECT_EQ(graph.op(id("average/1")).output, (Shape{3, 1, 1}));
  EXPECT_EQ(graph.op(id("average")).terms, (std::vector<Term>{{{id("average/0"), 0, 3}, {id("average/1"), 0, 3}}}));
  // Maxima of strips on top of each other.
  EXPECT_EQ(pool("largest/1").kernel, (std::array{8, 10}));
  EXPECT_EQ(graph.op(id("largest/strips")).output, (Shape{3, 3, 1}));
  EXPECT_EQ(pool("largest").kernel, (std::array{3, 1}));
  // Partial results are transferred per channel, not per row of an image.
  EXPECT_EQ(transfer_bytes(graph, id("average/1"), id("average"), Precision::fp32), 2 * 3 * 4);
  EXPECT_EQ(transfer_bytes(graph, id("largest/1"), id("largest"), Precision::fp32), 2 * 3 * 4);
  EXPECT_EQ(transfer_bytes(graph, id("in"), id("average/0"), Precision::fp32), 2 * 3 * 5 * 10 * 4);
}

TEST(Strips, AreOfNearlyEqualHeight) {
  const Graph graph = chain();
  EXPECT_EQ(even_split(graph, graph.find("a"), 4).begins, (std::vector{4, 8, 12}));
  EXPECT_EQ(even_split(graph, graph.find("b"), 3).begins, (std::vector{2, 5}));
  EXPECT_EQ(even_split(graph, graph.find("b"), 99).begins.size(), 7u);
  EXPECT_EQ(even_split(graph, graph.find("g"), 2).begins, (std::vector{4}));
  EXPECT_EQ(even_split(graph.with_batch(9), graph.find("c"), 4, 1, Along::images).begins, (std::vector{2, 4, 6}));
}

}  // namespace
}  // namespace opsched

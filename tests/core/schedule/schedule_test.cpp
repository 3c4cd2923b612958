// The schedule type: what validate() accepts and refuses, merges, the issue order.
#include "core/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.hpp"

namespace opsched {
namespace {

Layer square_conv(int out, int kernel, Activation act = Activation::relu) {
  return Conv2d{.out_channels = out, .kernel = {kernel, kernel}, .padding = {kernel / 2, kernel / 2}, .act = act};
}

/// input -> a -> {b, c} -> d
class ScheduleTest : public ::testing::Test {
 protected:
  ScheduleTest() : graph("diamond") {
    const OpId in = graph.add_input("in", {8, 16, 16});
    a = graph.add("a", {graph.all(in)}, {square_conv(8, 3)});
    b = graph.add("b", {graph.all(a)}, {square_conv(8, 3)});
    c = graph.add("c", {graph.all(a)}, {square_conv(4, 1)});
    d = graph.add("d", {graph.all(b), graph.all(c)}, {square_conv(8, 1)});
    graph.end_block("block");
  }

  Schedule barrier(std::vector<std::vector<Stage>> devices) const {
    Schedule schedule;
    for (auto& stages : devices) schedule.devices.push_back({std::move(stages)});
    return schedule;
  }
  Schedule dataflow(std::vector<std::vector<Stage>> devices) const {
    Schedule schedule = barrier(std::move(devices));
    schedule.mode = Mode::dataflow;
    return schedule;
  }
  static Stage stage(std::vector<Group> groups) { return {Strategy::concurrent, std::move(groups)}; }
  static Stage merge(Group group) { return {Strategy::merge, {std::move(group)}}; }

  /// The error message, or "" if the schedule is accepted.
  std::string refusal(const Schedule& schedule) const {
    try {
      validate(graph, schedule);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  void expect_refused(const Schedule& schedule, const std::vector<std::string>& words) const {
    const std::string message = refusal(schedule);
    ASSERT_NE(message, "");
    for (const std::string& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' is not in: " << message;
  }

  Graph graph;
  OpId a, b, c, d;
};

TEST_F(ScheduleTest, AcceptsEveryStyle) {
  EXPECT_EQ(refusal(barrier({{stage({{a}}), stage({{b}}), stage({{c}}), stage({{d}})}})), "");
  EXPECT_EQ(refusal(barrier({{stage({{a}}), stage({{b}, {c}}), stage({{d}})}})), "");
  EXPECT_EQ(refusal(barrier({{stage({{a, b, c, d}})}})), "");
  EXPECT_EQ(refusal(barrier({{stage({{a}}), merge({b, c}), stage({{d}})}})), "");
  EXPECT_EQ(refusal(barrier({{stage({{a}}), stage({{b}}), stage({{d}})}, {stage({{c}})}, {}})), "");
  EXPECT_EQ(refusal(dataflow({{stage({{a, b, d}, {c}})}})), "");
  EXPECT_EQ(refusal(dataflow({{stage({{a, d}})}, {stage({{b}, {c}})}})), "");
  EXPECT_EQ(refusal(dataflow({{stage({{a}, {}}), stage({{}, {c}}), stage({{b, d}, {}})}})), "");
}

TEST_F(ScheduleTest, EveryUnitExactlyOnce) {
  expect_refused(barrier({{stage({{a}}), stage({{b}}), stage({{d}})}}), {"'c'", "not scheduled"});
  expect_refused(barrier({}), {"'a'", "not scheduled"});
  expect_refused(barrier({{stage({{a, b, c, d}})}, {stage({{b}})}}),
                 {"'b'", "twice", "stage 0 of device 0", "stage 0 of device 1"});
  expect_refused(barrier({{stage({{0, a, b, c, d}})}}), {"'in'", "input"});
  expect_refused(barrier({{stage({{a, b, c, d, 17}})}}), {"17", "stage 0 of device 0"});
  expect_refused(barrier({{stage({{a, b, c, d, -1}})}}), {"-1"});
  expect_refused(barrier({{stage({{a, b, c, d}}), stage({})}}), {"stage 1 of device 0", "no operators"});
  expect_refused(barrier({{stage({{a, b, c, d}, {}})}}), {"stage 0 of device 0", "empty group"});
}

TEST_F(ScheduleTest, DependencesWithinADevice) {
  expect_refused(barrier({{stage({{b}}), stage({{a}}), stage({{c}}), stage({{d}})}}),
                 {"'b'", "'a'", "stage 0 of device 0", "stage 1 of device 0"});
  expect_refused(barrier({{stage({{a, d, b, c}})}}), {"'d'", "'b'", "after it in its group"});
  expect_refused(barrier({{stage({{a}}), stage({{b, d}, {c}})}}), {"'d'", "'c'", "another group"});
  expect_refused(dataflow({{stage({{a, d, b}, {c}})}}), {"'d'", "'b'"});
  expect_refused(dataflow({{stage({{d}}), stage({{a, b, c}})}}), {"'d'", "'b'", "later"});
}

TEST_F(ScheduleTest, WaitingForEachOther) {
  // Device 0 runs d before a, but d reads b (on device 1), and b reads a.
  expect_refused(barrier({{stage({{d}}), stage({{a}})}, {stage({{b}}), stage({{c}})}}),
                 {"stages wait for each other", "stage 0 of device 0", "stage 1 of device 0", "stage 0 of device 1"});
  // Only the stages deadlock: the stage {b, c} waits for a, which shares a stage with d.
  expect_refused(barrier({{stage({{a}, {d}})}, {stage({{b}, {c}})}}), {"stages wait for each other", "'a'", "'b'"});
  EXPECT_EQ(refusal(dataflow({{stage({{a}, {d}})}, {stage({{b}, {c}})}})), "");
  expect_refused(dataflow({{stage({{d, a}})}, {stage({{b}, {c}})}}), {"streams wait for each other", "'d'", "'b'"});
}

TEST_F(ScheduleTest, Merges) {
  EXPECT_TRUE(can_merge(graph, std::vector<OpId>{b, c}));
  EXPECT_TRUE(can_merge(graph, std::vector<OpId>{b}));
  EXPECT_FALSE(can_merge(graph, std::vector<OpId>{}));
  EXPECT_FALSE(can_merge(graph, std::vector<OpId>{b, b}));
  EXPECT_FALSE(can_merge(graph, std::vector<OpId>{a, b}));
  const Conv2d merged = merged_conv(graph, std::vector<OpId>{c, b});
  EXPECT_EQ(merged, (Conv2d{.out_channels = 12, .kernel = {3, 3}, .padding = {1, 1}, .act = Activation::relu}));
  expect_refused(barrier({{merge({a, b}), stage({{c}}), stage({{d}})}}), {"'b'", "merged with 'a'", "stage 0"});
  Stage two_groups{Strategy::merge, {{b}, {c}}};
  expect_refused(barrier({{stage({{a}}), two_groups, stage({{d}})}}), {"stage 1 of device 0", "one group"});
}

TEST_F(ScheduleTest, WhatCannotMerge) {
  Graph g("merges");
  const OpId in = g.add_input("in", {8, 17, 17});
  const auto add = [&](const std::string& name, Layer layer) { return g.add(name, {g.all(in)}, {layer}); };
  const OpId base = add("base", square_conv(8, 3));
  const std::vector<OpId> others = {
      add("other activation", square_conv(8, 3, Activation::none)),
      add("other stride",
          Conv2d{.out_channels = 8, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .act = Activation::relu}),
      add("off centre", Conv2d{.out_channels = 8, .kernel = {3, 3}, .act = Activation::relu}),
      add("off centre, same size",
          Conv2d{.out_channels = 8, .kernel = {3, 1}, .padding = {0, 1}, .act = Activation::relu}),
      add("grouped",
          Conv2d{.out_channels = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 2, .act = Activation::relu}),
      add("pool", Pool2d{.kernel = {3, 3}, .padding = {1, 1}}),
      g.add("chain", {g.all(in)}, {Activate{}, square_conv(8, 3)}),
      g.add("other slice", {{Value{in, 0, 4}}}, {square_conv(8, 3)}),
  };
  for (OpId other : others) EXPECT_FALSE(can_merge(g, std::vector<OpId>{base, other})) << g.op(other).name;
  const OpId even = add("even", Conv2d{.out_channels = 8, .kernel = {2, 2}, .padding = {1, 1}});
  EXPECT_FALSE(can_merge(g, std::vector<OpId>{even}));
  const OpId wide =
      add("wide", Conv2d{.out_channels = 2, .kernel = {1, 7}, .padding = {0, 3}, .act = Activation::relu});
  const OpId tall =
      add("tall", Conv2d{.out_channels = 3, .kernel = {5, 1}, .padding = {2, 0}, .act = Activation::relu});
  ASSERT_TRUE(can_merge(g, std::vector<OpId>{base, wide, tall}));
  EXPECT_EQ(merged_conv(g, std::vector<OpId>{base, wide, tall}),
            (Conv2d{.out_channels = 13, .kernel = {5, 7}, .padding = {2, 3}, .act = Activation::relu}));
}

TEST_F(ScheduleTest, LaunchOrder) {
  Schedule schedule = dataflow({{stage({{a, b, d}, {c}})}});
  for (const auto& good : {std::vector<OpId>{a, b, c, d}, std::vector<OpId>{a, c, b, d}}) {
    schedule.launch_order = good;
    EXPECT_EQ(refusal(schedule), "");
    EXPECT_EQ(issue_order(graph, schedule), good);
  }
  schedule.launch_order = {a, b, c};
  expect_refused(schedule, {"launch order", "'d'", "missing"});
  schedule.launch_order = {a, b, c, d, b};
  expect_refused(schedule, {"launch order", "'b'", "twice"});
  schedule.launch_order = {a, b, c, d, 99};
  expect_refused(schedule, {"launch order", "99"});
  schedule.launch_order = {c, a, b, d};
  expect_refused(schedule, {"launch order", "'c'", "before 'a'"});
  schedule = dataflow({{stage({{a, c, b, d}})}});
  schedule.launch_order = {a, b, c, d};  // topological, but contradicts the stream
  expect_refused(schedule, {"launch order", "'b'", "before 'c'"});
  schedule = barrier({{stage({{a}}), stage({{b}}), stage({{c}}), stage({{d}})}});
  schedule.launch_order = {a, c, b, d};  // topological, but contradicts the stages
  expect_refused(schedule, {"launch order", "'c'", "before 'b'"});
  schedule = barrier({{stage({{a, c, b, d}})}});
  schedule.launch_order = {a, b, c, d};
  expect_refused(schedule, {"launch order", "'b'", "before 'c'", "group"});
}

TEST_F(ScheduleTest, MergedOperatorsAreLaunchedTogether) {
  const OpId e = graph.add("e", {graph.all(a)}, {square_conv(8, 3)});
  Schedule schedule = dataflow({{stage({{a}, {e}}), merge({b, c}), stage({{d}})}});
  EXPECT_EQ(refusal(schedule), "");
  schedule.launch_order = {a, b, e, c, d};
  expect_refused(schedule, {"launch order", "stage 1 of device 0", "together"});
  schedule.launch_order = {a, e, c, b, d};
  EXPECT_EQ(refusal(schedule), "");
}

TEST_F(ScheduleTest, IssueOrderIsRoundRobin) {
  Graph g("chains");
  const OpId in = g.add_input("in", {8, 8, 8});
  const auto add = [&](const std::string& name, OpId from) { return g.add(name, {g.all(from)}, {square_conv(8, 1)}); };
  const OpId a1 = add("a1", in), a2 = add("a2", a1), b1 = add("b1", in), b2 = add("b2", b1), b3 = add("b3", b2);
  for (Mode mode : {Mode::barrier, Mode::dataflow}) {
    Schedule schedule = barrier({{stage({{a1, a2}, {b1, b2, b3}})}});
    schedule.mode = mode;
    EXPECT_EQ(issue_order(g, schedule), (std::vector<OpId>{a1, b1, a2, b2, b3}));
    schedule.devices = {{{stage({{a1}}), stage({{a2}})}}, {{stage({{b1}}), stage({{b2, b3}})}}};
    EXPECT_EQ(issue_order(g, schedule), (std::vector<OpId>{a1, b1, a2, b2, b3}));
  }
}

TEST_F(ScheduleTest, SlotsAndCounts) {
  const Schedule schedule = barrier({{stage({{a}}), stage({{d}})}, {stage({{b}, {c}})}});
  const auto slots = slots_of(graph, schedule);
  EXPECT_FALSE(slots[0].placed());
  EXPECT_EQ(slots[c].device, 1);
  EXPECT_EQ(slots[c].stage, 0);
  EXPECT_EQ(slots[c].group, 1);
  EXPECT_EQ(slots[c].position, 0);
  EXPECT_EQ(slots[d].stage, 1);
  EXPECT_EQ(stage_count(schedule), 3);
}

}  // namespace
}  // namespace opsched

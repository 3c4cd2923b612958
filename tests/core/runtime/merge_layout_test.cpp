// Where merged convolutions write: in a concatenation, across its beginning or end, or apart with copies.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/cost/signature/signature.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/program/verify.hpp"
#include "core/schedule/merge_copies.hpp"
#include "networks/network.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_branches.hpp"

namespace opsched {
namespace {

using test::count;
using test::RandomBranches;
using test::sequential;
using PlaceKind = MergedPlace::Kind;

/// Two convolutions of one input: `part` is term `at` of a concatenation of three, `other` is read by its last branch.
struct Branches {
  Graph graph{"branches"};
  OpId part, other, join;
  Branches(int at, int part_channels, int other_channels, int kernel = 1, bool nested = false) {
    const OpId x = graph.add_input("x", {8, 4, 4});
    const auto add = [&](const char* name, OpId from, int channels) {
      return graph.add(name, {graph.all(from)}, {Conv2d{.out_channels = channels}});
    };
    part = add("part", x, part_channels), other = add("other", x, other_channels);
    std::vector<Term> terms = {graph.all(add("first", x, 16)), graph.all(add("last", other, 24))};
    terms.insert(terms.begin() + at, graph.all(part));
    join = graph.add("join", terms, {});
    if (nested) graph.add("outer", {graph.all(join), graph.all(other)}, {});
    graph.add("reader", {graph.all(join)}, {Conv2d{.out_channels = 8, .kernel = {kernel, kernel}}});
  }
  Group merged() const { return {part, other}; }
  Schedule schedule() const {
    Schedule schedule = sequential(graph);
    std::vector<Stage>& stages = schedule.devices[0].stages;
    stages[0] = {Strategy::merge, {merged()}};
    stages.erase(stages.begin() + 1);
    return schedule;
  }
};

PlaceKind kind_of(const Branches& b) { return merged_place(join_slots(b.graph), b.merged()).kind; }

TEST(MergeLayout, FollowsFromThePlaceInTheConcatenation) {
  EXPECT_EQ(kind_of(Branches(0, 8, 16)), PlaceKind::before_begin);
  EXPECT_EQ(kind_of(Branches(1, 8, 16)), PlaceKind::copied);
  EXPECT_EQ(kind_of(Branches(2, 8, 16)), PlaceKind::behind_end);
  // Slices would not be aligned.
  EXPECT_EQ(kind_of(Branches(0, 8, 12)), PlaceKind::copied);
  EXPECT_EQ(kind_of(Branches(0, 12, 8)), PlaceKind::copied);
  // The concatenation is part of another one, or its reader needs dense pixels.
  EXPECT_EQ(kind_of(Branches(0, 8, 16, 1, true)), PlaceKind::copied);
  EXPECT_EQ(kind_of(Branches(0, 8, 16, 3)), PlaceKind::copied);
  const Branches b(0, 8, 16);
  EXPECT_EQ(merged_place(join_slots(b.graph), std::vector<OpId>{b.other, b.join + 1}).kind, PlaceKind::apart);
}

TEST(MergeLayout, MergedOutputAndConcatenationOverlapInOneBuffer) {
  for (int at = 0; at < 3; ++at) {
    const Branches b(at, 8, 16);
    const Program program = lower(b.graph, b.schedule(), {.vector_channels = 8});
    EXPECT_EQ(count(program, Step::Kind::gather), at == 1 ? 1 : 0);
    const auto step = [&](OpId op) { return *std::ranges::find(program.steps, op, &Step::op); };
    const View merged = step(b.part).output, read = step(b.join + 1).inputs[0], last = step(b.join - 1).inputs[0];
    EXPECT_EQ(merged.channels, 24);
    EXPECT_EQ(read.channels, 48);
    EXPECT_EQ(last.channels, 16);
    EXPECT_EQ(merged.buffer, last.buffer);
    EXPECT_EQ(merged.buffer == read.buffer, at != 1);
    EXPECT_EQ(program.buffers[read.buffer].shape.c, at == 1 ? 48 : 64);
    if (at == 0) {
      EXPECT_EQ(merged.channel, 0);
      EXPECT_EQ(last.channel, 0);
      EXPECT_EQ(read.channel, 16);
    }
    if (at == 2) {
      EXPECT_EQ(read.channel, 0);
      EXPECT_EQ(merged.channel, 40);
      EXPECT_EQ(last.channel, 48);
    }
  }
}

TEST(MergeLayout, KeysSayIt) {
  const auto key = [](const Branches& b) { return StageSigner(b.graph).stage({Strategy::merge, {b.merged()}}); };
  EXPECT_TRUE(key(Branches(0, 8, 16)).ends_with(" 8x4x4:c8@c")) << key(Branches(0, 8, 16));
  EXPECT_TRUE(key(Branches(1, 8, 16)).ends_with(" 8x4x4:c8@copy")) << key(Branches(1, 8, 16));
  EXPECT_EQ(key(Branches(0, 8, 16)), key(Branches(2, 8, 16)));
}

TEST(MergeLayout, InceptionNeedsOneCopyAndSqueezeNetNone) {
  for (const char* name : {"inception_v3", "squeezenet"}) {
    const Graph graph = make_network(name);
    const std::vector<JoinSlot> slots = join_slots(graph);
    std::map<PlaceKind, int> kinds;
    std::set<OpId> done;
    for (OpId first : graph.units()) {
      if (done.contains(first) || !can_merge(graph, Group{first})) continue;
      Group group;
      for (OpId op : graph.units()) {
        group.push_back(op);
        if (op < first || !can_merge(graph, group)) group.pop_back();
      }
      done.insert(group.begin(), group.end());
      if (group.size() > 1) ++kinds[merged_place(slots, group).kind];
    }
    // A convolution with stride 2 reads Inception's last block a.
    EXPECT_EQ(kinds[PlaceKind::copied], name == std::string("inception_v3") ? 1 : 0);
    EXPECT_EQ(kinds[PlaceKind::before_begin], name == std::string("inception_v3") ? 8 : 0);
  }
}

TEST(MergeLayout, RandomMergesGiveTheReference) {
  std::map<PlaceKind, int> kinds;
  int copies = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    RandomBranches random(seed);
    const Graph& graph = random.graph();
    const int devices = 1 + static_cast<int>(seed % 3) / 2;
    const Schedule schedule = random.schedule(devices);
    const std::vector<JoinSlot> slots = join_slots(graph);
    int most = 0;
    for (const Group& merged : random.merges()) {
      ++kinds[merged_place(slots, merged).kind];
      most += static_cast<int>(copied_outputs(slots, merged).size());
    }
    Program program = lower(graph, schedule, {.vector_channels = seed % 2 ? 8 : 1});
    ASSERT_NO_THROW(verify_order(program)) << "seed " << seed;
    ASSERT_NO_THROW(verify_arena(program)) << "seed " << seed;
    const int gathers = count(program, Step::Kind::gather);
    copies += gathers;
    if (devices == 1) {
      ASSERT_LE(gathers, most) << "seed " << seed;
    }
    if (devices == 1 && schedule.mode == Mode::barrier) {
      // The merges make the copies in their own stages.
      const Program apart = lower_stages(graph, schedule.devices[0].stages, 1, {});
      ASSERT_EQ(program.steps.size(), apart.steps.size());
      for (std::size_t s = 0; s < apart.steps.size(); ++s) {
        ASSERT_EQ(program.steps[s].kind, apart.steps[s].kind) << "seed " << seed;
        ASSERT_EQ(program.steps[s].op, apart.steps[s].op) << "seed " << seed;
      }
    }
    std::vector<Tensor> inputs;
    for (OpId op : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(op).output, seed));
    const std::vector<Tensor> outputs = make_cpu_executor(graph, std::move(program), seed)->run(inputs),
                              wanted = reference_outputs(graph, inputs, seed);
    ASSERT_EQ(outputs.size(), wanted.size());
    for (std::size_t i = 0; i < outputs.size(); ++i)
      ASSERT_LT(relative_error(outputs[i], wanted[i]), 1e-5) << "seed " << seed;
  }
  for (PlaceKind kind :
       {PlaceKind::apart, PlaceKind::inside, PlaceKind::before_begin, PlaceKind::behind_end, PlaceKind::copied})
    EXPECT_GT(kinds[kind], 10) << static_cast<int>(kind);
  EXPECT_GT(copies, 10);
}

}  // namespace
}  // namespace opsched

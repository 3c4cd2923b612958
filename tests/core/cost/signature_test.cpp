// Signatures: equal structures have equal keys, different ones do not.
#include "core/cost/signature/signature.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "core/cost/signature/stage_kind.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/space.hpp"

namespace opsched {
namespace {

Stage concurrent(std::vector<Group> groups) { return {Strategy::concurrent, std::move(groups)}; }

Layer conv(int channels, int kernel = 1) {
  return Conv2d{.out_channels = channels,
                .kernel = {kernel, kernel},
                .padding = {kernel / 2, kernel / 2},
                .act = Activation::relu};
}

/// Operators over a few inputs, drawn so that many are alike. build() permutes their ids.
struct Wired {
  std::vector<std::vector<std::vector<int>>> groups;  ///< group, operator -> outside values read
  std::vector<int> kinds;                             ///< channels of each group
  int values = 0;
};

/// The graph and stage of a wiring, with random names, ids, and orders of groups and values.
std::pair<Graph, Stage> build(const Wired& wired, std::mt19937_64& random) {
  Graph graph("g" + std::to_string(random() % 1000), 2);
  std::vector<OpId> inputs(wired.values), order(wired.values), group_order(wired.groups.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random);
  for (int v : order) inputs[v] = graph.add_input("in" + std::to_string(random()), {8, 4, 4});
  std::iota(group_order.begin(), group_order.end(), 0);
  std::ranges::shuffle(group_order, random);
  Stage stage;
  for (int g : group_order) {
    Group group;
    for (const auto& reads : wired.groups[g]) {
      Term term;
      for (int v : reads) term.push_back({inputs[v], 0, 8});
      if (!group.empty()) term.push_back({group.back(), 0, 8});
      std::ranges::shuffle(term, random);
      const int out = &reads == &wired.groups[g].back() ? wired.kinds[g] : 8;
      group.push_back(graph.add("op" + std::to_string(random()), {term}, {conv(out)}));
    }
    stage.groups.push_back(std::move(group));
  }
  std::ranges::shuffle(stage.groups, random);
  return {std::move(graph), std::move(stage)};
}

Wired draw(std::mt19937_64& random) {
  Wired wired;
  wired.values = 1 + static_cast<int>(random() % 4);
  const int groups = 1 + static_cast<int>(random() % 6);
  for (int g = 0; g < groups; ++g) {
    auto& group = wired.groups.emplace_back();
    for (int n = 1 + static_cast<int>(random() % 2); n > 0; --n) {
      auto& reads = group.emplace_back();
      for (int v = 0; v < wired.values; ++v)
        if (random() % 2) reads.push_back(v);
      if (reads.empty()) reads.push_back(static_cast<int>(random() % wired.values));
    }
    wired.kinds.push_back(random() % 3 ? 16 : 32);
  }
  return wired;
}

/// The smallest description over all namings of the values: a slow canonical form.
std::string slow_form(const Wired& wired) {
  std::vector<int> names(wired.values), readers(wired.values);
  for (const auto& group : wired.groups)
    for (const auto& reads : group)
      for (int v : reads) ++readers[v];
  std::iota(names.begin(), names.end(), 0);
  std::string best;
  do {
    std::vector<std::string> groups;
    for (std::size_t g = 0; g < wired.groups.size(); ++g) {
      std::string text = std::to_string(wired.kinds[g]);
      for (const auto& reads : wired.groups[g]) {
        std::multiset<int> named;  // -1: no other reader
        for (int v : reads) named.insert(readers[v] > 1 ? names[v] : -1);
        text += "/";
        for (int v : named) text += std::to_string(v) + ",";
      }
      groups.push_back(text);
    }
    std::ranges::sort(groups);
    std::string text;
    for (const auto& group : groups) text += group + " ";
    if (best.empty() || text < best) best = text;
  } while (std::ranges::next_permutation(names).found);
  return best;
}

TEST(Signature, EqualStructuresHaveEqualKeys) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) {
    const Wired wired = draw(random);
    const auto [a, stage_a] = build(wired, random);
    const auto [b, stage_b] = build(wired, random);
    EXPECT_EQ(StageSigner(a).stage(stage_a), StageSigner(b).stage(stage_b));
  }
}

TEST(Signature, KeysAreEqualJustWhereStructuresAre) {
  std::mt19937_64 random(2);
  std::map<std::string, std::string> form_of, key_of;
  for (int i = 0; i < 3000; ++i) {
    const Wired wired = draw(random);
    const auto [graph, stage] = build(wired, random);
    const std::string key = StageSigner(graph).stage(stage), form = slow_form(wired);
    EXPECT_EQ(form_of.try_emplace(key, form).first->second, form) << key;
    EXPECT_EQ(key_of.try_emplace(form, key).first->second, key) << form;
  }
  EXPECT_GT(form_of.size(), 500u);
}

TEST(Signature, ManyAlikeGroupsStayCheapAndCanonical) {
  // Rings of groups, each sharing a value with the next: nothing distinguishes the groups of a ring.
  std::mt19937_64 random(3);
  const auto rings = [&](std::vector<int> sizes) {
    Wired wired;
    for (int size : sizes) {
      for (int i = 0; i < size; ++i) wired.groups.push_back({{wired.values + i, wired.values + (i + 1) % size}});
      wired.values += size;
    }
    wired.kinds.assign(wired.groups.size(), 16);
    const auto [graph, stage] = build(wired, random);
    return StageSigner(graph).stage(stage);
  };
  EXPECT_EQ(rings({8}), rings({8}));
  EXPECT_EQ(rings({3, 5}), rings({5, 3}));
  EXPECT_NE(rings({3, 5}), rings({8}));
  EXPECT_NE(rings({4, 4}), rings({3, 5}));
}

TEST(Signature, AttributesGatheringAndBatchCount) {
  std::set<std::string> keys;
  int graphs = 0;
  const auto add = [&](int batch, std::vector<Term> terms, std::vector<Layer> layers, int h = 16, int w = 16) {
    Graph graph("g", batch);
    graph.add_input("a", {32, h, w});
    graph.add_input("b", {32, h, w});
    graph.add_input("wide", {64, h, w});
    const OpId op = graph.add("op", std::move(terms), std::move(layers));
    keys.insert(StageSigner(graph).solo(op));
    ++graphs;
  };
  const Value a{0, 0, 32}, b{1, 0, 32}, slice{2, 16, 48};
  const Conv2d plain{.out_channels = 32};
  add(1, {{a}}, {plain});
  add(2, {{a}}, {plain});
  add(1, {{slice}}, {plain});
  add(1, {{a, b}}, {plain});
  add(1, {{a, slice}}, {plain});
  add(1, {{a}, {b}}, {plain});
  add(1, {{a}, {a}}, {plain});
  add(1, {{a, b}, {slice}}, {plain});
  add(1, {{a}}, {plain}, 16, 17);
  add(1, {{a}}, {plain}, 17, 16);
  add(1, {{a}}, {});
  add(1, {{a}}, {plain, plain});
  add(1, {{a}}, {Activate{Activation::relu}});
  add(1, {{a}}, {Activate{Activation::tanh}});
  add(1, {{a}}, {Activate{Activation::relu}, plain});
  for (Conv2d c : {Conv2d{.out_channels = 64}, Conv2d{.out_channels = 32, .act = Activation::relu},
                   Conv2d{.out_channels = 32, .act = Activation::tanh}, Conv2d{.out_channels = 32, .groups = 32},
                   Conv2d{.out_channels = 32, .kernel = {3, 3}}, Conv2d{.out_channels = 32, .kernel = {1, 3}},
                   Conv2d{.out_channels = 32, .kernel = {3, 1}}, Conv2d{.out_channels = 32, .stride = {2, 1}},
                   Conv2d{.out_channels = 32, .stride = {1, 2}}, Conv2d{.out_channels = 32, .padding = {1, 0}},
                   Conv2d{.out_channels = 32, .padding = {0, 1}}})
    add(1, {{a}}, {c});
  for (Pool2d p : {Pool2d{.type = PoolType::global_avg}, Pool2d{.type = PoolType::max, .kernel = {3, 3}},
                   Pool2d{.type = PoolType::avg, .kernel = {3, 3}},
                   Pool2d{.type = PoolType::avg, .kernel = {3, 3}, .count_padding = false},
                   Pool2d{.type = PoolType::max, .kernel = {3, 3}, .stride = {2, 2}},
                   Pool2d{.type = PoolType::max, .kernel = {3, 3}, .stride = {2, 2}, .ceil = true},
                   Pool2d{.type = PoolType::max, .kernel = {3, 3}, .padding = {1, 1}}})
    add(1, {{a}}, {p});
  EXPECT_EQ(static_cast<int>(keys.size()), graphs);
}

TEST(Signature, StrategyAndOrderInAGroupCount) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 4, 4});
  const OpId a = graph.add("a", {graph.all(x)}, {conv(8)});
  const OpId b = graph.add("b", {graph.all(x)}, {conv(16)});
  const StageSigner signer(graph);
  EXPECT_NE(signer.stage(concurrent({{a, b}})), signer.stage(concurrent({{b, a}})));
  EXPECT_NE(signer.stage(concurrent({{a, b}})), signer.stage(concurrent({{a}, {b}})));
  const Stage merged{Strategy::merge, {{a, b}}};
  EXPECT_NE(signer.stage(merged), signer.stage(concurrent({{a}, {b}})));
  EXPECT_EQ(signer.stage(merged), signer.stage({Strategy::merge, {{b, a}}}));
  EXPECT_EQ(signer.stage({Strategy::merge, {{a}}}), signer.solo(a));
  EXPECT_EQ(signer.stage(concurrent({{a}})), signer.solo(a));
  const OpId c = graph.add("c", {graph.all(a)}, {conv(8)});
  EXPECT_THROW(StageSigner(graph).stage(concurrent({{a}, {c}})), Error);
  EXPECT_THROW(signer.stage(concurrent({})), Error);
}

TEST(Signature, KeysReadBackAsTheSameOperators) {
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name, {.batch = 4, .image = 0, .seed = 1, .edge_lists = ""});
    const StageSigner signer(graph);
    for (OpId id : graph.units()) {
      const SignedStage stage = parse_stage_key(signer.solo(id));
      ASSERT_EQ(stage.ops.size(), 1u);
      const Operator &read = stage.ops[0], &op = graph.op(id);
      EXPECT_EQ(stage.batch, 4);
      EXPECT_EQ(read.layers, op.layers);
      EXPECT_EQ(read.input, op.input);
      EXPECT_EQ(read.output, op.output);
      ASSERT_EQ(read.terms.size(), op.terms.size());
      for (std::size_t t = 0; t < op.terms.size(); ++t) {
        EXPECT_EQ(read.terms[t].size(), op.terms[t].size());
        EXPECT_EQ(read.terms[t][0].channels(), op.terms[t][0].channels());
      }
      EXPECT_EQ(stage.signatures[0], operator_signature(graph, id));
    }
  }
}

TEST(Signature, StageKeysReadBack) {
  Graph graph("g", 3);
  const OpId x = graph.add_input("x", {8, 4, 4});
  const OpId a = graph.add("a", {graph.all(x)}, {conv(8)});
  const OpId b = graph.add("b", {graph.all(x)}, {conv(16)});
  const OpId c = graph.add("c", {graph.all(a)}, {conv(8, 3)});
  const StageSigner signer(graph);
  const std::string key = signer.stage(concurrent({{b}, {a, c}}));
  EXPECT_EQ(key, "b3 8x4x4:c16r@a | 8x4x4:c8r@a 8x4x4:c8k3p1r@0");
  const SignedStage stage = parse_stage_key(key);
  EXPECT_EQ(stage.batch, 3);
  EXPECT_EQ(stage.groups, (std::vector<std::vector<int>>{{0}, {1, 2}}));
  EXPECT_EQ(stage.refs[2], std::vector<std::string>{"0"});
  EXPECT_EQ(parse_stage_key(signer.stage({Strategy::merge, {{a, b}}})).strategy, Strategy::merge);
  for (const char* bad : {"", "b", "b0 8x4x4", "b1", "b1 |", "b1 8x4x4 |", "x 8x4x4", "b1 8x4", "b1 8x4x4:q",
                          "b1 8x4x4:c", "b1 8x4x4:c8k9", "b1 8x4x4(4+5)", "b1 8x4x4(8", "b1 8x4x4:c8r7", "b1x 8x4x4",
                          "b2 8x4x4#3", "b2 8x4x4#1x", "b2 8x4x4#"})
    EXPECT_THROW(parse_stage_key(bad), Error) << bad;
}

TEST(Signature, SummandsReadOutsideTheStageAreMarked) {
  Graph graph("g", 1);
  const OpId x = graph.add_input("x", {8, 4, 4});
  const OpId a = graph.add("a", {graph.all(x)}, {conv(8)});
  const OpId b = graph.add("b", {{{x, 0, 8}, {a, 0, 8}}}, {});
  const OpId c = graph.add("c", {{{a, 0, 8}, {b, 0, 8}}}, {conv(8)});
  const StageSigner signer(graph), unmarked(graph, false);
  EXPECT_EQ(signer.stage(concurrent({{a, b}})), "b1 8x4x4:c8r@a 8x4x4(8*2)@0k,a");
  EXPECT_EQ(signer.stage(concurrent({{a, b, c}})), "b1 8x4x4:c8r@a 8x4x4(8*2)@0,a 8x4x4(8*2):c8r@0,1");
  EXPECT_EQ(unmarked.stage(concurrent({{a, b}})), "b1 8x4x4:c8r@a 8x4x4(8*2)@0,a");
  const SignedStage stage = parse_stage_key(signer.stage(concurrent({{a, b}})));
  EXPECT_EQ(stage.refs[1], (std::vector<std::string>{"0k", "a"}));
  EXPECT_EQ(kind_of_key(signer.stage(concurrent({{a, b}}))), kind_of_key(unmarked.stage(concurrent({{a, b}}))));
}

TEST(Signature, MergesKnowWhoReadsTheirParts) {
  const auto key = [](int kernel, bool twice) {
    Graph graph("g");
    const OpId x = graph.add_input("x", {8, 4, 4});
    const OpId a = graph.add("a", {graph.all(x)}, {conv(8)}), b = graph.add("b", {graph.all(x)}, {conv(16)});
    graph.add("c", {graph.all(a)}, {conv(8, kernel)});
    if (twice) graph.add("d", {graph.all(b)}, {conv(8, 3)});
    return StageSigner(graph).stage({Strategy::merge, {{b, a}}});
  };
  EXPECT_EQ(key(3, true), key(3, true));
  EXPECT_NE(key(3, true), key(5, true));
  EXPECT_NE(key(3, true), key(3, false));
  EXPECT_TRUE(key(3, false).starts_with("b1 merge 8x4x4:c16r 8x4x4:c8r@")) << key(3, false);
  EXPECT_EQ(kind_of_key(key(3, true)), kind_of_key(key(5, true)));
  EXPECT_EQ(parse_stage_key(key(3, true)).signatures, parse_stage_key(key(5, true)).signatures);
}

TEST(StageKind, FollowsFromTheKeyWithoutItsWiring) {
  const Graph graph = make_network("inception_v3").with_batch(4);
  const StageSigner signer(graph);
  const auto kind_of = [&](const Stage& stage) {
    KindHash hash(graph.batch(), stage.groups.front().size() > 1 ? stage.strategy : Strategy::concurrent);
    for (const Group& group : stage.groups) {
      for (OpId op : group) hash.add(operator_hash(operator_signature(graph, op)));
      hash.end_group();
    }
    return hash.value();
  };
  std::map<std::uint64_t, std::string> texts;
  for (const IosPart& part : ios_parts(graph, 100)) {
    const IosSpace space(part, {});
    for (int i = 0; i < space.stages(); ++i) {
      const Stage stage = space.stage(i);
      const std::string key = signer.stage(stage);
      EXPECT_EQ(kind_of_key(key), kind_of(stage)) << key;
      // Two keys of one kind have the same operators.
      const SignedStage parsed = parse_stage_key(key);
      std::vector<std::string> ops = parsed.signatures;
      std::ranges::sort(ops);
      std::string text = to_string(parsed.strategy) + std::to_string(parsed.groups.size());
      for (const std::string& op : ops) text += " " + op;
      EXPECT_EQ(texts.try_emplace(kind_of_key(key), text).first->second, text);
    }
  }
  for (const char* bad : {"", "b", "b0 1x1x1:r", "x1 1x1x1:r", "b4"}) EXPECT_THROW(kind_of_key(bad), Error) << bad;
}

TEST(Fingerprint, IgnoresNamesAndSeesTheRest) {
  const auto graph = [](const std::string& prefix, int channels) {
    Graph g(prefix);
    g.add_input(prefix + "x", {8, 4, 4});
    g.add(prefix + "a", {g.all(0)}, {conv(channels)});
    return g;
  };
  EXPECT_EQ(fingerprint(graph("p", 8)), fingerprint(graph("q", 8)));
  EXPECT_NE(fingerprint(graph("p", 8)), fingerprint(graph("p", 9)));
  Schedule schedule;
  schedule.devices = {{{concurrent({{1}, {2}}), concurrent({{3}})}}};
  std::set<std::string> prints{fingerprint(schedule)};
  Schedule named = schedule;
  named.graph = named.scheduler = "other";
  EXPECT_EQ(prints.count(fingerprint(named)), 1u);
  Schedule dataflow = schedule;
  dataflow.mode = Mode::dataflow;
  Schedule ordered = schedule;
  ordered.launch_order = {1, 2, 3};
  Schedule moved = schedule;
  moved.devices.push_back({{schedule.devices[0].stages[1]}});
  moved.devices[0].stages.pop_back();
  Schedule grouped = schedule;
  grouped.devices[0].stages[0] = concurrent({{1, 2}});
  for (const Schedule& other : {dataflow, ordered, moved, grouped})
    EXPECT_TRUE(prints.insert(fingerprint(other)).second);
}

TEST(ScheduleText, RoundTrips) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 300; ++i) {
    Schedule schedule;
    schedule.mode = random() % 2 ? Mode::barrier : Mode::dataflow;
    schedule.devices.resize(1 + random() % 3);
    OpId next = 0;
    for (DeviceSchedule& device : schedule.devices)
      for (std::uint64_t s = random() % 4; s > 0; --s) {
        Stage& stage = device.stages.emplace_back();
        stage.strategy = random() % 4 ? Strategy::concurrent : Strategy::merge;
        for (std::uint64_t g = 1 + random() % 3; g > 0; --g) {
          Group& group = stage.groups.emplace_back();
          for (std::uint64_t n = 1 + random() % 3; n > 0; --n) group.push_back(next++);
        }
      }
    for (OpId id = next; random() % 3 > 0 && id > 0;) schedule.launch_order.push_back(--id);
    for (std::uint64_t n = random() % 4; n > 0; --n) schedule.priority.push_back(static_cast<int>(random() % 6));
    EXPECT_EQ(schedule_from_text(to_text(schedule)), schedule) << to_text(schedule);
  }
  const Schedule read = schedule_from_text("d;1,2|3/m4,5;6@1,3,2,4,5,6");
  EXPECT_EQ(to_text(read), "d;1,2|3/m4,5;6@1,3,2,4,5,6");
  EXPECT_EQ(read.devices[0].stages[1].strategy, Strategy::merge);
  EXPECT_EQ(to_text(schedule_from_text("b;|1/2||3")), "b;|1/2||3");  // streams may be skipped
  for (const char* bad : {"", "x;1", "b;1,", "b;a", "b;1@2@3", "b;-1", "b;1 2", "b;1!2!3", "b;1!a"})
    EXPECT_THROW(schedule_from_text(bad), Error) << bad;
}

}  // namespace
}  // namespace opsched

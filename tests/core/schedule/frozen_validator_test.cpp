// The validator's verdicts, which rankings depend on. If you change one, increase kValidatorVersion.
#include <gtest/gtest.h>

#include <map>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/schedule/schedule.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

Layer judged_conv(int out, int kernel) {
  return Conv2d{.out_channels = out, .kernel = {kernel, kernel}, .padding = {kernel / 2, kernel / 2}};
}

/// 0 is the input, 1 reads it, 2 and 3 read 1, 4 reads both.
Graph judged_diamond() {
  Graph graph("diamond");
  const OpId in = graph.add_input("in", {8, 16, 16});
  const OpId a = graph.add("a", {graph.all(in)}, {judged_conv(8, 3)});
  const OpId b = graph.add("b", {graph.all(a)}, {judged_conv(8, 3)});
  const OpId c = graph.add("c", {graph.all(a)}, {judged_conv(4, 1)});
  graph.add("d", {graph.all(b), graph.all(c)}, {judged_conv(8, 1)});
  graph.end_block("block");
  return graph;
}

bool accepted(const Graph& graph, const Schedule& schedule) {
  try {
    validate(graph, schedule);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(FrozenValidator, GivesTheVerdictsOfItsVersion) {
  ASSERT_EQ(kValidatorVersion, 1);
  const Graph graph = judged_diamond();
  const std::map<std::string, bool> verdicts = {
      {"b;1,2,3,4", true},    {"b;1/2|3/4", true},    {"b;1/m2,3/4", true},        {"b;1/2/4;3", true},
      {"d;1,2,4|3", true},    {"d;1,4;2|3", true},    {"d;1,2,4|3@1,3,2,4", true}, {"b;1/2/4", false},
      {"b;1,2,3,4;2", false}, {"b;0,1,2,3,4", false}, {"b;1,2,3,4,17", false},     {"b;2/1/3/4", false},
      {"b;1,4,2,3", false},   {"b;1/2,4|3", false},   {"d;1,4,2|3", false},        {"b;4/1;2/3", false},
      {"b;1|4;2|3", false},   {"d;4,1;2|3", false},   {"b;m1,2/3/4", false},       {"d;1,2,4|3@1,2,4,3", false}};
  for (const auto& [text, verdict] : verdicts) EXPECT_EQ(accepted(graph, schedule_from_text(text)), verdict) << text;
}

/// Every assignment of four operators to two devices, stages and streams, in both modes, in ascending order.
TEST(FrozenValidator, AcceptsTheSameOfAllSmallSchedules) {
  ASSERT_EQ(kValidatorVersion, 1);
  const Graph graph = judged_diamond();
  std::map<Mode, int> count;
  std::string bits;
  for (const Mode mode : {Mode::barrier, Mode::dataflow})
    for (int code = 0; code < 8 * 8 * 8 * 8; ++code) {
      std::map<int, std::map<int, std::map<int, Group>>> placed;
      for (int op = 1, rest = code; op <= 4; ++op, rest /= 8)
        placed[rest % 8 / 4][rest % 4 / 2][rest % 2].push_back(op);
      Schedule schedule{.graph = "", .scheduler = "", .mode = mode, .devices = {}, .launch_order = {}};
      for (const auto& [device, stages] : placed) {
        schedule.devices.emplace_back();
        for (const auto& [stage, groups] : stages) {
          Stage& to = schedule.devices.back().stages.emplace_back();
          for (const auto& [group, ops] : groups) to.groups.push_back(ops);
        }
      }
      const bool good = accepted(graph, schedule);
      count[mode] += good;
      bits += good ? '1' : '0';
    }
  EXPECT_EQ(count[Mode::barrier], 872);
  EXPECT_EQ(count[Mode::dataflow], 2304);
  EXPECT_EQ(hex_digits(fnv1a(bits, kHashStart)), "f9490a2d21c3476d");
}

}  // namespace
}  // namespace opsched

// validate(), compared with a check that needs no graph theory: it runs the schedule and sees whether it gets stuck.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "core/error.hpp"
#include "core/schedule/schedule.hpp"
#include "tests/support/shapes.hpp"

namespace opsched {
namespace {

class Judge {
 public:
  Judge(const Graph& graph, const Schedule& schedule)
      : graph_(graph), schedule_(schedule), slots_(slots_of(graph, schedule)), done_(graph.size(), false) {
    for (OpId in : graph.inputs()) done_[in] = true;
  }

  /// Executes a schedule and checks whether every operator gets to run.
  bool completes() { return schedule_.mode == Mode::barrier ? stages() : streams(); }

 private:
  /// Stage by stage: everything that a stage reads from outside must exist when it starts. An operator of a group may
  /// otherwise only read what comes before it in the group.
  bool stages() {
    std::vector<std::size_t> next(schedule_.devices.size(), 0);
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t d = 0; d < next.size(); ++d) {
        const auto& all = schedule_.devices[d].stages;
        if (next[d] == all.size() || !can_run(all[next[d]])) continue;
        for (const Group& group : all[next[d]].groups)
          for (OpId op : group) done_[op] = true;
        ++next[d];
        moved = true;
      }
    }
    return std::ranges::all_of(done_, [](bool done) { return done; });
  }
  bool can_run(const Stage& stage) const {
    for (const Group& group : stage.groups)
      for (std::size_t i = 0; i < group.size(); ++i)
        for (OpId p : graph_.preds(group[i]))
          if (!done_[p] && std::find(group.begin(), group.begin() + i, p) == group.begin() + i) return false;
    return true;
  }

  /// Operator by operator along the streams. On one device no operator may read from a later stage.
  bool streams() {
    for (OpId op : graph_.units())
      for (OpId p : graph_.preds(op))
        if (slots_[p].placed() && slots_[p].device == slots_[op].device && slots_[p].stage > slots_[op].stage)
          return false;
    for (bool moved = true; moved;) {
      moved = false;
      for (OpId op : graph_.units()) {
        if (done_[op] || !std::ranges::all_of(graph_.preds(op), [&](OpId p) { return done_[p]; })) continue;
        if (!std::ranges::all_of(graph_.units(), [&](OpId other) { return done_[other] || !before(other, op); }))
          continue;
        done_[op] = true;
        moved = true;
      }
    }
    return std::ranges::all_of(done_, [](bool done) { return done; });
  }
  bool before(OpId a, OpId b) const {
    const Slot &x = slots_[a], &y = slots_[b];
    return x.device == y.device && x.group == y.group &&
           std::pair(x.stage, x.position) < std::pair(y.stage, y.position);
  }

  const Graph& graph_;
  const Schedule& schedule_;
  std::vector<Slot> slots_;
  std::vector<bool> done_;
};

/// Every operator on a random device, in a random stage or group. They are placed in topological order except for a few
/// swaps, so that about half of the schedules are valid.
Schedule random_schedule(const Graph& graph, Mode mode, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return random() % n; };
  std::vector<OpId> order = graph.units();
  for (std::size_t swaps = below(3); swaps > 0 && order.size() > 1; --swaps) {
    const std::size_t at = below(order.size() - 1);
    std::swap(order[at], order[at + 1]);
  }
  Schedule schedule;
  schedule.mode = mode;
  schedule.devices.resize(1 + below(3));
  for (OpId op : order) {
    auto& stages = schedule.devices[below(schedule.devices.size())].stages;
    if (stages.empty() || below(3) == 0) stages.emplace_back();
    auto& groups = stages.back().groups;
    if (groups.empty() || below(2) == 0) groups.emplace_back();
    groups[below(groups.size())].push_back(op);
    std::erase_if(groups, [](const Group& group) { return group.empty(); });
  }
  return schedule;
}

TEST(ValidateProperty, AcceptsExactlyWhatDoesNotGetStuck) {
  std::mt19937_64 random(11);
  for (Mode mode : {Mode::barrier, Mode::dataflow}) {
    int accepted = 0, refused = 0;
    for (int trial = 0; trial < 4000; ++trial) {
      const Graph graph = test::layered(3, 3, static_cast<std::uint64_t>(trial));
      const Schedule schedule = random_schedule(graph, mode, random);
      bool valid = true;
      std::string message;
      try {
        validate(graph, schedule);
      } catch (const Error& e) {
        valid = false;
        message = e.what();
      }
      ASSERT_EQ(valid, Judge(graph, schedule).completes()) << to_string(mode) << ", trial " << trial << ": " << message;
      ++(valid ? accepted : refused);
      if (valid) {  // in issue order, operators only read what was issued before
        std::vector<bool> issued(graph.size(), false);
        for (OpId in : graph.inputs()) issued[in] = true;
        for (OpId op : issue_order(graph, schedule)) {
          for (OpId p : graph.preds(op)) EXPECT_TRUE(issued[p]);
          issued[op] = true;
        }
      }
    }
    EXPECT_GT(accepted, 1000) << to_string(mode);
    EXPECT_GT(refused, 500) << to_string(mode);
  }
}

TEST(ValidateProperty, IsFastOnLargeSchedules) {
  std::vector<std::vector<int>> preds(10000);
  std::mt19937_64 random(1);
  for (int i = 1; i < 10000; ++i) preds[i] = {static_cast<int>(random() % static_cast<std::uint64_t>(i))};
  const Graph graph = test::graph_of("large", preds);
  Schedule schedule;
  schedule.devices.resize(64);
  for (OpId op : graph.units()) schedule.devices[random() % 64].stages.push_back({Strategy::concurrent, {{op}}});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_NO_THROW(validate(graph, schedule));
  // About 5 ms each; quadratic time would take far longer.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  std::reverse(schedule.devices[7].stages.begin(), schedule.devices[7].stages.end());
  EXPECT_THROW(validate(graph, schedule), Error);
}

}  // namespace
}  // namespace opsched

// The search over dataflow schedules, and its parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/cost/bounds.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/dataflow/launch_order.hpp"
#include "schedulers/dataflow/moves.hpp"
#include "schedulers/dataflow/priorities.hpp"
#include "schedulers/dataflow/seeds.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

using test::TestCost;

int streams_of(const Schedule& schedule) {
  std::size_t streams = 0;
  for (const Stage& stage : schedule.devices.front().stages) streams = std::max(streams, stage.groups.size());
  return static_cast<int>(streams);
}

/// The operators of every stream, in order.
std::vector<Group> by_stream(const Schedule& schedule) {
  std::vector<Group> streams(streams_of(schedule));
  for (const Stage& stage : schedule.devices.front().stages)
    for (std::size_t g = 0; g < stage.groups.size(); ++g)
      streams[g].insert(streams[g].end(), stage.groups[g].begin(), stage.groups[g].end());
  return streams;
}

/// A device on which whole schedules deviate from the model by unknown amounts.
class PretendedDevice : public TestCost {
 public:
  using TestCost::TestCost;
  Provenance provenance() const override { return pretended; }
  bool measures() const override { return pretended == Provenance::measured; }
  bool bounds_hold() const override { return false; }
  std::optional<double> schedule_ms(const Schedule& schedule) override {
    const std::string key = fingerprint(schedule);
    if (pretended != Provenance::measured) {
      if (!known.contains(key)) return std::nullopt;
      return known.at(key).second;
    }
    const double noise = static_cast<double>(std::hash<std::string>{}(key) % 1000) / 1000;
    return known.try_emplace(key, schedule, simulated_ms(*this, contention_law(), schedule) * (0.9 + 0.2 * noise))
        .first->second.second;
  }
  std::vector<Schedule> known_schedules(int) override {
    std::vector<Schedule> schedules;
    for (const auto& [key, entry] : known) schedules.push_back(entry.first);
    return schedules;
  }
  void prefetch_schedules(std::span<const Schedule> schedules) override {
    together = std::max(together, static_cast<int>(schedules.size()));
  }

  Provenance pretended = Provenance::measured;
  std::map<std::string, std::pair<Schedule, double>> known;
  int together = 0;
};

Schedule search(CostModel& cost, const SchedulerOptions& options) {
  return make_schedule("dataflow-search", {.cost = cost, .devices = 1, .options = options, .progress = {}});
}

/// A device that cannot run stages of several groups: only IOS needs them, and fails.
struct NoStages : PretendedDevice {
  using PretendedDevice::PretendedDevice;
  double stage_ms(const Stage& stage) override {
    if (stage.groups.size() > 1) throw Error("no stages of several groups here");
    return PretendedDevice::stage_ms(stage);
  }
};

TEST(Searches, DoNotFailBecauseOneSeedDid) {
  const Graph graph = test::fork_join(3, 3);
  for (const Provenance provenance : {Provenance::measured, Provenance::recorded})
    for (const char* scheduler : {"dataflow-search", "ios-verified"}) {
      NoStages cost(graph, 1);
      cost.pretended = provenance;
      std::vector<std::string> notes;
      Schedule told;
      const Schedule schedule =
          make_schedule(scheduler, {.cost = cost,
                                    .devices = 1,
                                    .options = {},
                                    .progress = {},
                                    .found = [&](const Schedule& s) { told = s; },
                                    .note = [&](const std::string& text) { notes.push_back(text); }});
      EXPECT_NO_THROW(validate(graph, schedule));
      ASSERT_FALSE(notes.empty()) << scheduler;
      EXPECT_NE(notes.front().find("no stages of several groups here"), std::string::npos) << notes.front();
      if (provenance == Provenance::measured) {
        EXPECT_NO_THROW(validate(graph, told)) << scheduler;
      }
      EXPECT_THROW(make_schedule("ios-both", {.cost = cost, .devices = 1, .options = {}, .progress = {}}), Error);
    }
}

TEST(DataflowPlan, ComesFromAScheduleAndGoesBack) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    const Schedule schedule = test::random_schedule(graph, 1, Mode::dataflow, seed);
    const DataflowPlan plan = plan_of(graph, schedule);
    const Schedule back = schedule_of(graph, plan);
    ASSERT_NO_THROW(validate(graph, back)) << seed;
    EXPECT_EQ(back.launch_order, issue_order(graph, schedule)) << seed;
    const auto sorted = [](std::vector<Group> streams) {
      std::erase_if(streams, [](const Group& group) { return group.empty(); });
      std::ranges::sort(streams);
      return streams;
    };
    EXPECT_EQ(sorted(by_stream(back)), sorted(by_stream(schedule))) << seed;
    // Stream numbers have no meaning.
    EXPECT_EQ(schedule_of(graph, plan_of(graph, back)), back) << seed;
  }
}

TEST(DataflowPlan, IsLaunchedInAnotherOrderOnTheSameStreams) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    TestCost cost(graph, seed);
    const DataflowPlan plan = plan_of(graph, test::random_schedule(graph, 1, Mode::dataflow, seed));
    for (const LaunchKey& rule : launch_keys(cost)) {
      const DataflowPlan other = relaunched(graph, plan, by_unit(plan, rule.key));
      EXPECT_NO_THROW(validate(graph, schedule_of(graph, other))) << rule.name << ", " << seed;
      EXPECT_EQ(other.stream, plan.stream);
      for (int s = 0; s <= *std::ranges::max_element(plan.stream); ++s) {
        const auto of_stream = [&](const DataflowPlan& p) {
          std::vector<int> units;
          for (int u : p.order)
            if (p.stream[u] == s) units.push_back(u);
          return units;
        };
        EXPECT_EQ(of_stream(other), of_stream(plan)) << rule.name << ", " << seed;
      }
    }
  }
}

TEST(DataflowMoves, KeepPlansValidAndWithinTheirStreams) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    TestCost cost(graph, seed);
    const DataflowPlan start = plan_of(graph, test::random_schedule(graph, 1, Mode::dataflow, seed));
    const int most = 1 + *std::ranges::max_element(start.stream);
    const auto ms = [&](const DataflowPlan& plan) {
      const Schedule schedule = schedule_of(graph, plan);
      validate(graph, schedule);  // every plan that was tried
      EXPECT_LE(streams_of(schedule), most);
      return simulated_ms(cost, cost.contention_law(), schedule);
    };
    const DataflowPlan better = improved(graph, start, ms, {.tries = 200, .most_streams = most, .seed = seed});
    EXPECT_LE(ms(better), ms(start)) << seed;

    std::mt19937_64 random(seed);
    EXPECT_EQ(schedule_of(graph, changed(graph, start, 0, most, random)), schedule_of(graph, start));
    int different = 0;
    for (int changes = 1; changes <= 20; ++changes) {
      const Schedule schedule = schedule_of(graph, changed(graph, start, changes, most, random));
      EXPECT_NO_THROW(validate(graph, schedule)) << seed;
      EXPECT_LE(streams_of(schedule), most);
      different += schedule == schedule_of(graph, start) ? 0 : 1;
    }
    if (graph.units().size() > 4 && most > 1) {
      EXPECT_GT(different, 0) << seed;
    }
  }
}

TEST(DataflowSeeds, AreDistinctAndOnAsFewStreamsAsAskedFor) {
  for (const Graph& graph : test::every_shape(3)) {
    TestCost cost(graph, 3);
    std::set<std::string> seen;
    for (const DataflowSeed& seed : dataflow_seeds(cost, 4)) {
      const Schedule schedule = schedule_of(graph, seed.plan);
      EXPECT_NO_THROW(validate(graph, schedule)) << seed.family;
      EXPECT_LE(streams_of(schedule), 4) << seed.family;
      EXPECT_TRUE(seen.insert(fingerprint(schedule)).second) << seed.family;
    }
  }
}

TEST(DataflowSearch, IsNoSlowerThanDataflowAndNeverBelowTheBound) {
  for (std::uint64_t seed : {1, 2, 3}) {
    for (const Graph& graph : test::every_shape(seed)) {
      TestCost cost(graph, seed);
      double work = 0;
      for (OpId op : graph.units()) work += cost.operator_ms(op) * cost.utilisation(op);
      for (const char* streams : {"1", "3", "16"}) {
        const double plain = simulated_ms(
            cost, cost.contention_law(),
            make_schedule("dataflow", {.cost = cost, .devices = 1, .options = {{"streams", streams}}, .progress = {}}));
        const Schedule schedule = search(cost, {{"streams", streams}, {"tries", "4"}});
        const double ms = simulated_ms(cost, cost.contention_law(), schedule);
        EXPECT_LE(streams_of(schedule), std::stoi(streams));
        EXPECT_LE(ms, plain * (1 + 1e-9)) << graph.name() << ", seed " << seed << ", streams " << streams;
        EXPECT_GE(ms, std::max(lower_bounds(cost, 1).critical_path, work) * (1 - 1e-9)) << graph.name();
      }
    }
  }
}

TEST(DataflowSearch, TakesTheFastestOfWhatItMeasuredAndFindsItAgainInARecord) {
  int with_priority = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    PretendedDevice cost(graph, seed);
    const SchedulerOptions options = {{"verify", "30"}, {"tries", "4"}, {"ios", "no"}, {"moves", "0"}};
    const Schedule found = search(cost, options);
    ASSERT_FALSE(cost.known.empty());
    EXPECT_LE(cost.known.size(), 30u);
    EXPECT_GT(cost.together, 1) << "schedules that are compared are measured together";
    double best = 1e9, plain = 0;
    for (const auto& [key, entry] : cost.known) best = std::min(best, entry.second);
    const Schedule dataflow = make_schedule("dataflow", {.cost = cost, .devices = 1, .options = {}, .progress = {}});
    plain = cost.known.at(fingerprint(dataflow)).second;
    EXPECT_EQ(cost.known.at(fingerprint(found)).second, best < 0.998 * plain ? best : plain) << seed;
    with_priority += found.priority.empty() ? 0 : 1;

    // Replayed without the device, and after the model has changed, the answer is the same.
    PretendedDevice record(graph, seed);
    record.pretended = Provenance::recorded;
    record.known = cost.known;
    for (OpId op : graph.units()) record.set(op, 1 + 0.01 * op, 0.5);
    EXPECT_EQ(search(record, options), found) << seed;

    const Schedule alike = search(record, {{"priority", "no"}, {"tries", "4"}, {"ios", "no"}});
    EXPECT_TRUE(alike.priority.empty());
  }
  EXPECT_GT(with_priority, 0) << "priorities are tried";
}

TEST(DataflowSearch, MeasuresSmallChangesOfTheFastestSchedule) {
  int faster = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    SchedulerOptions options = {{"streams", "4"}, {"verify", "12"}, {"tries", "4"}, {"ios", "no"}, {"moves", "0"}};
    PretendedDevice before(graph, seed), after(graph, seed);
    const double without = before.schedule_ms(search(before, options)).value();
    const std::size_t verified = before.known.size();
    options["moves"] = "60";
    const double with = after.schedule_ms(search(after, options)).value();
    EXPECT_LE(with, without) << seed;
    faster += with < without ? 1 : 0;
    EXPECT_LE(after.known.size(), verified + 60) << seed;
    for (const auto& [key, entry] : after.known) {
      EXPECT_NO_THROW(validate(graph, entry.first)) << seed;
      EXPECT_LE(streams_of(entry.first), 4) << seed;
    }
  }
  EXPECT_GT(faster, 4) << "what the model does not know is found by measuring";
}

TEST(DataflowSearch, MeasuresFewerChangesOfSlowNetworks) {
  const Graph graph = test::RandomCnn(3).draw(1);
  const SchedulerOptions options = {{"verify", "4"}, {"tries", "1"}, {"ios", "no"}};
  std::size_t measured = 1000;
  for (const double ms : {0.001, 1.0, 30.0, 400.0}) {
    PretendedDevice cost(graph, 3);
    for (OpId op : graph.units()) cost.set(op, ms, 0.5);
    search(cost, options);
    EXPECT_LT(cost.known.size(), measured) << ms;
    measured = cost.known.size();
  }
  EXPECT_LE(measured, 4u) << "nothing but what it verifies";
}

TEST(DataflowSearch, TrustsTheModelWhereNothingIsVerified) {
  const Graph graph = test::RandomCnn(5).draw(1);
  PretendedDevice cost(graph, 5);
  const Schedule schedule = search(cost, {{"verify", "0"}, {"ios", "no"}});
  EXPECT_TRUE(cost.known.empty());
  EXPECT_TRUE(schedule.priority.empty());
}

TEST(Priorities, AreLevelsAndPutTheCriticalPathFirst) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1);
    TestCost cost(graph, seed);
    const std::vector<double> slack = slack_ms(cost);
    const double path = lower_bounds(cost, 1).critical_path;
    for (const PriorityRule& rule : priority_rules(cost)) {
      Schedule schedule = make_schedule("dataflow", {.cost = cost, .devices = 1, .options = {}, .progress = {}});
      schedule.priority = rule.priority;
      EXPECT_NO_THROW(validate(graph, schedule)) << rule.name;
      for (OpId op : graph.units())
        if (rule.name == "critical") {
          EXPECT_EQ(rule.priority[op] == kMostPriority, slack[op] <= 0.01 * path);
        }
      // Lowering copies them to the steps.
      for (const Step& step : lower(graph, schedule, {}).steps) EXPECT_EQ(step.priority, rule.priority[step.op]);
    }
  }
}

TEST(Priorities, AreCheckedByTheValidator) {
  const Graph graph = test::diamond();
  TestCost cost(graph);
  Schedule schedule = make_schedule("dataflow", {.cost = cost, .devices = 1, .options = {}, .progress = {}});
  const std::string plain = fingerprint(schedule);
  schedule.priority.assign(graph.size(), 1);
  EXPECT_NO_THROW(validate(graph, schedule));
  EXPECT_NE(fingerprint(schedule), plain);
  for (int wrong : {-1, kMostPriority + 1}) {
    schedule.priority.back() = wrong;
    EXPECT_THROW(validate(graph, schedule), Error);
  }
  schedule.priority.assign(graph.size() - 1, 0);
  EXPECT_THROW(validate(graph, schedule), Error);
}

}  // namespace
}  // namespace opsched

// Schedulers, bounds and evaluation with different links: hosts of two devices, with slower links between hosts.
#include <gtest/gtest.h>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/hios/problem.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_dags.hpp"

namespace opsched {
namespace {

constexpr int kOnTwoHosts = 4;
constexpr double kLocalBandwidth = 400e6;  // bytes per ms

Topology hosts_of_two(double latency_ms, double bytes_per_ms) {
  Topology topology(2);
  topology.state(LinkKind::network, {latency_ms, bytes_per_ms});
  return topology;
}

/// Small enough for exact search.
SyntheticCost seeded_cost(std::uint64_t seed) { return synthetic_cost(test::small_dag(5, seed)); }

Schedule found(const SchedulerInfo& scheduler, SyntheticCost& cost, int devices = kOnTwoHosts) {
  return make_schedule(scheduler.name, {.cost = cost, .devices = devices, .options = {}, .progress = {}});
}

template <class Check>
void for_each_of_several_devices(std::uint64_t seeds, const Check& check) {
  for (const SchedulerInfo& scheduler : schedulers()) {
    if (scheduler.max_devices == 1) continue;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      SCOPED_TRACE(scheduler.name + ", seed " + std::to_string(seed));
      check(scheduler, seed);
    }
  }
}

/// The definition in evaluate.hpp, operator by operator, repeated until all waits are taken into account.
double recomputed_ms(SyntheticCost& cost, const Schedule& schedule) {
  const Graph& graph = cost.graph();
  const std::vector<Slot> slots = slots_of(graph, schedule);
  std::vector<double> end(graph.size(), 0.0);
  double makespan = 0;
  for (int round = 0; round < graph.size(); ++round)  // as many rounds as the longest chain of stages
    for (const DeviceSchedule& device : schedule.devices) {
      double free = 0;
      for (const Stage& stage : device.stages) {
        for (const Group& group : stage.groups)
          for (OpId op : group)
            for (OpId p : graph.preds(op))
              if (graph.op(p).is_unit() && (slots[p].device != slots[op].device || slots[p].stage != slots[op].stage))
                free = std::max(free, end[p] + cost.transfer_ms(p, op, slots[p].device, slots[op].device));
        free += cost.stage_ms(stage);
        for (const Group& group : stage.groups)
          for (OpId op : group) end[op] = free;
      }
      makespan = std::max(makespan, free);
    }
  return makespan;
}

TEST(MixedLinks, EverySchedulerIsValidAndNeverBelowTheBound) {
  for_each_of_several_devices(12, [](const SchedulerInfo& scheduler, std::uint64_t seed) {
    SyntheticCost cost = seeded_cost(seed);
    cost.join(hosts_of_two(0.05 * (seed % 3), kLocalBandwidth / (1 << seed % 6)), kLocalBandwidth);
    const Schedule schedule = found(scheduler, cost);
    const ScheduledCosts costs(cost, schedule);
    EXPECT_NO_THROW(validate(costs->graph(), schedule));
    const double bound = lower_bounds(cost, schedule).lower() * (1 - 1e-9);
    EXPECT_GE(simulate(cost, schedule).timeline.makespan, bound);
    if (schedule.mode == Mode::barrier) {
      EXPECT_GE(evaluate(*costs, schedule).makespan, bound);
    }
  });
}

TEST(MixedLinks, TheEvaluationIsTheDefinition) {
  for_each_of_several_devices(12, [](const SchedulerInfo& scheduler, std::uint64_t seed) {
    SyntheticCost cost = seeded_cost(seed);
    const Schedule schedule = found(scheduler, cost);  // placed without regard to hosts
    if (schedule.mode != Mode::barrier || !schedule.splits.empty()) return;
    const double local = evaluate(cost, schedule).makespan;
    cost.join(hosts_of_two(0.1, kLocalBandwidth / 8), kLocalBandwidth);
    EXPECT_DOUBLE_EQ(evaluate(cost, schedule).makespan, recomputed_ms(cost, schedule));
    EXPECT_GE(evaluate(cost, schedule).makespan, local) << "no link became faster";
  });
}

TEST(MixedLinks, EqualLinksGiveTheSameSchedulesToTheDigit) {
  for_each_of_several_devices(12, [](const SchedulerInfo& scheduler, std::uint64_t seed) {
    SyntheticCost plain = seeded_cost(seed), hosts = seeded_cost(seed);
    hosts.join(hosts_of_two(0, kLocalBandwidth), kLocalBandwidth);
    const Schedule a = found(scheduler, plain), b = found(scheduler, hosts);
    EXPECT_EQ(a, b);
    EXPECT_EQ(simulate(plain, a).timeline.makespan, simulate(hosts, b).timeline.makespan);
  });
}

TEST(MixedLinks, TheOptimumKeepsToAHostWhereLinksBetweenHostsAreSlow) {
  int apart = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SyntheticCost one = seeded_cost(seed), slow = seeded_cost(seed), middling = seeded_cost(seed);
    slow.join(hosts_of_two(1e4, 1), kLocalBandwidth);
    middling.join(hosts_of_two(0.1, kLocalBandwidth / 4), kLocalBandwidth);
    const SchedulerInfo& exact = find_scheduler("exact");
    const double on_host = evaluate(one, found(exact, one, 2)).makespan;
    const double on_four = evaluate(one, found(exact, one)).makespan;
    const double between = evaluate(middling, found(exact, middling)).makespan;
    const double on_slow = evaluate(slow, found(exact, slow)).makespan;
    EXPECT_LE(on_four, between * (1 + 1e-12)) << "seed " << seed;
    EXPECT_LE(between, on_host * (1 + 1e-12)) << "seed " << seed;
    EXPECT_LE(on_slow, on_host * (1 + 1e-12)) << "seed " << seed;
    apart += on_four < on_host ? 1 : 0;
  }
  EXPECT_GT(apart, 0) << "two more devices never helped: the test shows nothing";
}

TEST(MixedLinks, TwinsMayChangePlaces) {
  SyntheticCost cost = synthetic_cost(test::hios_dag(3));
  for (int host : {1, 2, 3}) {
    Topology topology(host);
    topology.state(LinkKind::network, {0.1, kLocalBandwidth / 8});
    cost.join(topology, kLocalBandwidth);
    const HiosProblem problem(cost, 7);
    for (int d = 0; d < problem.devices(); ++d) {
      // Hosts of 3: devices 0 to 2, 3 to 5 and 6. Devices alone on their hosts are equivalent.
      EXPECT_EQ(problem.twin(d), host == 1 ? 0 : d / host * host) << "device " << d << ", hosts of " << host;
      const int twin = problem.twin(d);
      const auto swapped = [&](int x) { return x == d ? twin : x == twin ? d : x; };
      for (int from = 0; from < problem.devices(); ++from)
        for (int to = 0; to < problem.devices(); ++to)
          for (int edge = 0; edge < problem.edges(); edge += 17)
            EXPECT_EQ(problem.transfer(edge, from, to), problem.transfer(edge, swapped(from), swapped(to)));
    }
  }
}

}  // namespace
}  // namespace opsched

// Schedulers that split operators into strips.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cost/synthetic.hpp"
#include "core/graph/strips.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/scheduler.hpp"
#include "schedulers/split/spread.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

double makespan(CostModel& cost, const Schedule& schedule) { return simulate(cost, schedule).timeline.makespan; }

Schedule ask(CostModel& cost, const std::string& scheduler, int devices, const SchedulerOptions& options = {}) {
  return make_schedule(scheduler, {.cost = cost, .devices = devices, .options = options});
}

int devices_used(const Schedule& schedule) {
  return static_cast<int>(
      std::ranges::count_if(schedule.devices, [](const DeviceSchedule& device) { return !device.stages.empty(); }));
}

/// Each operator fills a device for one millisecond; transferring a whole output takes `transfer_ms`.
SyntheticCost divisible(const Graph& graph, double transfer_ms) {
  std::vector<SyntheticTransfer> transfers;
  for (OpId op : graph.units())
    for (OpId p : graph.preds(op)) transfers.push_back({p, op, transfer_ms});
  return {graph, std::vector<double>(graph.size(), 1.0), std::vector<double>(graph.size(), 1.0), transfers};
}

Graph chain_of(int operators) {
  Graph graph("chain");
  OpId last = graph.add_input("in", {4, 32, 32});
  for (int i = 0; i < operators; ++i) {
    std::string name = "c";
    name += std::to_string(i);
    last = graph.add(name, {graph.all(last)}, {Conv2d{.out_channels = 4, .kernel = {3, 3}, .padding = {1, 1}}});
    if (i % 3 == 2) graph.end_block("b" + std::to_string(i));
  }
  return graph;
}

TEST(SplitScheduler, SharesAChainBetweenDevices) {
  const Graph graph = chain_of(9);
  SyntheticCost cost = divisible(graph, 0.32);  // 0.01 per row
  for (int devices : {2, 4}) {
    const Schedule schedule = ask(cost, "split", devices);
    EXPECT_EQ(schedule.splits.size(), 9u);
    // Strips of nine operators, with a halo between each two of them.
    EXPECT_NEAR(makespan(cost, schedule), 9.0 / devices + 8 * 0.01, 0.02) << devices;
    // Without splits a chain gains nothing.
    EXPECT_NEAR(makespan(cost, ask(cost, "reinsert", devices, {{"iterations", "100"}})), 9, 1e-9);
    for (const char* other : {"heft", "hios-lp", "hios-mr", "hios-lp-inter", "hios-mr-inter"})
      EXPECT_LT(makespan(cost, ask(cost, other, devices, {{"split", "rows"}})), 7) << other;
    EXPECT_LT(makespan(cost, ask(cost, "reinsert", devices, {{"split", "rows"}, {"iterations", "100"}})), 7);
  }
}

TEST(SplitScheduler, LeavesOperatorsWholeWhereTransfersCostMore) {
  const Graph graph = chain_of(9);
  SyntheticCost cost = divisible(graph, 1000);
  const Schedule schedule = ask(cost, "split", 2);
  EXPECT_TRUE(schedule.splits.empty());
  EXPECT_NEAR(makespan(cost, schedule), 9, 1e-9);
  EXPECT_TRUE(ask(cost, "heft", 2, {{"split", "rows"}}).splits.empty());
}

TEST(SplitScheduler, IsNeverSlowerThanOneDeviceOrThanWholeOperators) {
  int split = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1 + seed % 3);
    SyntheticCost cost = divisible(graph, 0.1 * static_cast<double>(seed % 7));
    const int devices = 2 + seed % 3;
    const Schedule schedule = ask(cost, "split", devices);
    split += !schedule.splits.empty();
    EXPECT_LE(makespan(cost, schedule), makespan(cost, ask(cost, "dataflow", 1)) + 1e-9) << "seed " << seed;
    for (const char* other : {"heft", "hios-lp"})
      EXPECT_LE(makespan(cost, ask(cost, other, devices, {{"split", "rows"}})),
                makespan(cost, ask(cost, other, devices)) + 1e-9)
          << other << ", seed " << seed;
  }
  EXPECT_GT(split, 10);
}

TEST(SplitScheduler, IsNeverSlowerOnMoreDevicesThanOnAPowerOfTwoOfThem) {
  int fewer = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(1 + seed % 3);
    SyntheticCost cost = divisible(graph, 0.3 * static_cast<double>(seed % 4));
    Topology hosts(2);  // hosts of two devices; links between them are slower
    hosts.state(LinkKind::network, {.latency_ms = static_cast<double>(seed % 3), .bytes_per_ms = 1e6});
    cost.join(hosts, 4e6);
    double fastest = makespan(cost, ask(cost, "split", 1));
    for (const int devices : {2, 3, 4, 6, 8}) {
      const Schedule schedule = ask(cost, "split", devices);
      const double ms = makespan(cost, schedule);
      EXPECT_LE(ms, fastest + 1e-9) << "seed " << seed << ", " << devices << " devices";
      fewer += devices_used(schedule) < devices;
      if (devices != 3 && devices != 6) fastest = ms;
    }
  }
  EXPECT_GT(fewer, 10);
}

TEST(SplitScheduler, FindsTheBestOfAllChoicesOfTwoBlocks) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Graph graph = test::RandomCnn(seed).draw(2);
    SyntheticCost cost = divisible(graph, 0.5 * static_cast<double>(seed % 5));
    const Schedule base = ask(cost, "dataflow", 1);
    double best = makespan(cost, base);
    for (int choice = 0; choice < 4; ++choice) {
      std::vector<bool> which(graph.size(), false);
      for (int b : {0, 1})
        for (OpId op : graph.blocks()[b].ops) which[op] = (choice >> b & 1) != 0;
      const Graph split = graph.with_splits(even_splits(graph, which, 2, Along::rows));
      const auto costs = split.splits().empty() ? nullptr : cost.of(split);
      CostModel& its = costs ? *costs : static_cast<CostModel&>(cost);
      const std::vector<int> placed = place_strips(its, base.launch_order, 2);
      best = std::min(best, makespan(its, spread(split, base, placed, 2)));
    }
    EXPECT_LE(makespan(cost, ask(cost, "split", 2)), best + 1e-9) << "seed " << seed;
  }
}

TEST(SplitScheduler, SharesABatchBetweenDevices) {
  const Graph graph = chain_of(9).with_batch(8);
  SyntheticCost cost = divisible(graph, 0.32);
  for (int devices : {2, 3, 4, 8}) {
    const double largest = (8 + devices - 1) / devices / 8.0;
    for (const char* name : {"split", "data-parallel"}) {
      const Schedule schedule = ask(cost, name, devices);
      EXPECT_EQ(schedule.splits.size(), 9u);
      EXPECT_EQ(schedule.splits.front().along, Along::images);
      EXPECT_NEAR(makespan(cost, schedule), 9 * largest, 1e-9) << name << devices;  // no transfers
    }
    for (const char* other : {"heft", "hios-lp", "hios-mr"})
      EXPECT_LE(makespan(cost, ask(cost, other, devices, {{"split", "images"}})), 9 * largest + 1e-9) << other;
    EXPECT_EQ(ask(cost, "split", devices, {{"along", "rows"}}).splits.front().along, Along::rows);
  }
  EXPECT_EQ(devices_used(ask(cost, "split", 9)), 8);  // one image on each of 8 devices beats 9 strips of rows
  const Graph pair = graph.with_batch(2);
  SyntheticCost of_pair = divisible(pair, 0.32);
  EXPECT_EQ(ask(of_pair, "split", 3).splits.front().along, Along::rows);  // too few images
  // With more devices than images, one device per image computes.
  EXPECT_NEAR(makespan(cost, ask(cost, "data-parallel", 20)), 9.0 / 8, 1e-9);
}

TEST(SplitScheduler, DataParallelOfOneImageIsOneDevice) {
  const Graph graph = chain_of(4);
  SyntheticCost cost = divisible(graph, 0.1);
  const Schedule schedule = ask(cost, "data-parallel", 2);
  EXPECT_TRUE(schedule.splits.empty());
  EXPECT_EQ(schedule.devices.front(), ask(cost, "dataflow", 1).devices.front());
}

TEST(RowSplits, LeaveWholeWhatCannotBeSplit) {
  Graph graph("mixed");
  const OpId in = graph.add_input("in", {4, 8, 8});
  const Conv2d edge{.out_channels = 4, .padding = {2, 0}};  // its first rows are only padding
  const OpId padded = graph.add("padded", {graph.all(in)}, {edge});
  const OpId pool = graph.add("pool", {graph.all(padded)}, {Pool2d{.type = PoolType::global_avg}});
  graph.add("out", {graph.all(pool)}, {});
  graph.end_block("all");
  const std::vector<bool> all(graph.size(), true);
  EXPECT_EQ(even_splits(graph, all, 2, Along::rows).size(), 2u);   // including the average
  EXPECT_EQ(even_splits(graph, all, 12, Along::rows).size(), 1u);  // only the average
  EXPECT_TRUE(even_splits(graph, all, 13, Along::rows).empty());
  EXPECT_TRUE(even_splits(graph, std::vector<bool>(graph.size(), false), 2, Along::rows).empty());
}

}  // namespace
}  // namespace opsched

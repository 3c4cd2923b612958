// The split scheduler, compared with the optimum on small graphs: each operator is whole on some device, or split.
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

constexpr int kDevices = 2, kOperators = 6;

/// Convolutions that read one or two others, two per block.
Graph small_graph(test::Random& random) {
  Graph graph("small", 2);
  const OpId in = graph.add_input("in", {4, 16, 16});
  for (int i = 0; i < kOperators; ++i) {
    Term sum = graph.all(i == 0 ? in : 1 + random.below(i));
    if (const OpId other = i == 0 ? in : 1 + random.below(i); other != sum.front().op && random.chance(50))
      sum.push_back({other, 0, 4});
    std::string name = "c";
    name += std::to_string(i);
    graph.add(name, {sum}, {Conv2d{.out_channels = 4, .kernel = {3, 3}, .padding = {1, 1}}});
    if (i % 2 == 1) graph.end_block("b" + std::to_string(i));
  }
  return graph;
}

SyntheticCost random_costs(test::Random& random, const Graph& graph) {
  std::vector<double> ms;
  for (OpId op = 0; op < graph.size(); ++op) ms.push_back(0.2 + 0.02 * random.below(100));
  const int price = random.below(100);  // upper limit for transfers, in 0.01 ms
  std::vector<SyntheticTransfer> transfers;
  for (OpId op : graph.units())
    for (OpId p : graph.preds(op))
      if (graph.op(p).is_unit()) transfers.push_back({p, op, 0.01 * random.below(price + 1)});
  return {graph, ms, std::vector<double>(graph.size(), 1.0), transfers, 0.01 * random.below(101)};
}

/// The least makespan over all choices of operators to split along rows or images, one strip per device, and of devices
/// for the others. Operators are in the order of one of these single-device schedules.
double least_makespan(CostModel& cost, const std::vector<Schedule>& bases, Along along) {
  const Graph& graph = cost.graph();
  const std::vector<OpId> units = graph.units();
  double best = 1e9;
  for (int choice = 0, end = 1 << units.size(); choice < end; ++choice) {
    std::vector<bool> which(graph.size(), false);
    for (std::size_t i = 0; i < units.size(); ++i) which[units[i]] = (choice >> i & 1) != 0;
    const Graph split = graph.with_splits(even_splits(graph, which, kDevices, along));
    const auto own = split.splits().empty() ? nullptr : cost.of(split);
    CostModel& costs = own ? *own : cost;
    std::vector<OpId> whole;
    std::vector<int> device_of(split.size(), 0);
    for (OpId op : split.units()) {
      device_of[op] = std::max(0, split.strip(op));
      if (split.strip(op) < 0) whole.push_back(op);
    }
    for (int placement = 0; placement < 1 << whole.size(); ++placement) {
      for (std::size_t i = 0; i < whole.size(); ++i) device_of[whole[i]] = placement >> i & 1;
      for (const Schedule& base : bases)
        best = std::min(best, simulated_ms(costs, costs.contention_law(), spread(split, base, device_of, kDevices)));
    }
  }
  return best;
}

/// `split` decides per block by the simulator, not per operator. The loss is stated in docs/split.md.
TEST(SplitOptimum, OfAllChoicesIsNearlyReached) {
  double sum = 0, most = 0;
  int cases = 0, reached = 0, split = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    test::Random random(seed);
    const Graph graph = small_graph(random);
    SyntheticCost cost = random_costs(random, graph);
    const auto base = [&](const SchedulerOptions& options) {
      return make_schedule("dataflow", {.cost = cost, .devices = 1, .options = options});
    };
    const std::vector<Schedule> bases = {base({}), base({{"streams", "1"}})};
    for (Along along : {Along::rows, Along::images}) {
      const double best = least_makespan(cost, bases, along);
      const Schedule found =
          make_schedule("split", {.cost = cost, .devices = kDevices, .options = {{"along", to_string(along)}}});
      const double ratio = simulate(cost, found).timeline.makespan / best;
      ASSERT_GE(ratio, 1 - 1e-9) << "seed " << seed;  // nothing beats the optimum
      sum += ratio, most = std::max(most, ratio), ++cases, reached += ratio < 1 + 1e-9;
      split += !found.splits.empty();
    }
  }
  EXPECT_LT(sum / cases, 1.03);
  EXPECT_LT(most, 1.14);
  EXPECT_GE(reached, 18);  // of 50
  EXPECT_GT(split, 25);
}

}  // namespace
}  // namespace opsched

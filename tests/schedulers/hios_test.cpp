#include "schedulers/hios/hios.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_dags.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

constexpr int none = -1;

/// Synthetic costs with different transfer costs between every pair of devices.
class UnevenLinks : public SyntheticCost {
 public:
  explicit UnevenLinks(const WeightedDag& dag) : SyntheticCost(synthetic_cost(dag)) {}
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return SyntheticCost::transfer_ms(producer, consumer, from, to) * (1 + (3 * from + 5 * to) % 4);
  }
  std::int64_t link_class(int from, int to) const override { return (3 * from + 5 * to) % 4; }
};

/// Makespan of a partial placement whose devices run operators in ascending order. `end` receives their ends.
double list_schedule(const HiosProblem& problem, const std::vector<int>& device, std::vector<double>& end) {
  std::vector<double> free(problem.devices(), 0.0);
  double makespan = 0;
  end.assign(problem.size(), 0.0);
  for (int v = 0; v < problem.size(); ++v) {
    if (device[v] == none) continue;
    double start = free[device[v]];
    for (const auto [from, edge] : problem.preds(v))
      if (device[from] != none) start = std::max(start, end[from] + problem.transfer(edge, device[from], device[v]));
    end[v] = free[device[v]] = start + problem.ms(v);
    makespan = std::max(makespan, end[v]);
  }
  return makespan;
}

DeviceOrders orders_of(const HiosProblem& problem, const std::vector<int>& device) {
  DeviceOrders orders(problem.devices());
  for (int v = 0; v < problem.size(); ++v) orders[device[v]].push_back(v);
  return orders;
}

/// HIOS-LP directly from its definition, recomputing everything each time.
DeviceOrders plain_lp(const HiosProblem& problem) {
  const int n = problem.size();
  std::vector<int> device(n, none);
  const auto touches = [&](int v) {
    for (const auto [u, edge] : problem.preds(v))
      if (device[u] != none) return true;
    for (const auto [u, edge] : problem.succs(v))
      if (device[u] != none) return true;
    return device[v] != none;
  };
  while (std::ranges::count(device, none) > 0) {
    std::vector<double> inside(n), from_here(n);
    std::vector<int> step(n, none);
    int first = none;
    for (int v = n - 1; v >= 0; --v) {
      double rest = 0;
      for (const auto [u, edge] : problem.succs(v)) {
        if (device[v] != none && device[u] != none) continue;
        const double length = problem.worst_transfer(edge) + (touches(u) ? problem.ms(u) : inside[u]);
        if (step[v] == none || length > rest) {
          rest = length;
          step[v] = u;
        }
      }
      inside[v] = problem.ms(v) + rest;
      from_here[v] = device[v] != none && step[v] == none ? -1 : inside[v];
    }
    first = static_cast<int>(std::ranges::max_element(from_here) - from_here.begin());
    std::vector<int> path;
    for (int v = first; v != none; v = v != first && touches(v) ? none : step[v])
      if (device[v] == none) path.push_back(v);
    int best = none;
    double best_makespan = 0, best_end = 0;
    for (int d = 0; d < problem.devices(); ++d) {
      std::vector<int> trial = device;
      for (int v : path) trial[v] = d;
      std::vector<double> end;
      const double makespan = list_schedule(problem, trial, end);
      const double last = end[path.back()];
      if (best == none || makespan < best_makespan - 1e-9 ||
          (makespan < best_makespan + 1e-9 && last < best_end - 1e-9)) {
        best = d;
        best_makespan = makespan;
        best_end = last;
      }
    }
    for (int v : path) device[v] = best;
  }
  return orders_of(problem, device);
}

/// HIOS-MR directly from its definition: every record is a whole schedule.
DeviceOrders plain_mr(const HiosProblem& problem) {
  struct Record {
    std::vector<int> device;
    double makespan = 0, ends = 0;
  };
  std::vector<Record> records(1);
  records[0].device.assign(problem.size(), none);
  for (int v = 0; v < problem.size(); ++v) {
    std::vector<Record> next;
    for (int d = 0; d < problem.devices(); ++d) {
      Record best;
      for (const Record& record : records) {
        Record trial = record;
        trial.device[v] = d;
        std::vector<double> end;
        trial.makespan = list_schedule(problem, trial.device, end);
        trial.ends = 0;
        for (int u = 0; u <= v; ++u) trial.ends += end[u];
        if (best.device.empty() || trial.makespan < best.makespan - 1e-9 ||
            (trial.makespan < best.makespan + 1e-9 && trial.ends < best.ends - 1e-9))
          best = trial;
      }
      next.push_back(best);
    }
    records = next;
  }
  return orders_of(problem, std::ranges::min_element(records, {}, &Record::makespan)->device);
}

template <class Check>
void for_each_problem(const Check& check) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed)
    for (int devices : {1, 2, 3, 5}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(devices) + " devices");
      const WeightedDag dag = seed % 3 == 0 ? test::hios_dag(seed) : test::small_dag(2 + seed % 14, seed);
      if (seed % 2 == 0) {
        SyntheticCost cost = synthetic_cost(dag);
        check(HiosProblem(cost, devices));
      } else {
        UnevenLinks cost(dag);
        check(HiosProblem(cost, devices));
      }
    }
}

TEST(HiosProblem, NumbersOperatorsByLatestStart) {
  for_each_problem([](const HiosProblem& problem) {
    const Graph& graph = problem.cost().graph();
    ASSERT_EQ(problem.size(), static_cast<int>(graph.units().size()));
    for (int v = 0; v < problem.size(); ++v) {
      EXPECT_GE(problem.rest(std::max(v - 1, 0)), problem.rest(v));
      EXPECT_EQ(problem.ms(v), problem.cost().operator_ms(problem.op(v)));
      double rest = 0;
      for (const auto [to, edge] : problem.succs(v)) {
        EXPECT_GT(to, v);
        rest = std::max(rest, problem.worst_transfer(edge) + problem.rest(to));
      }
      EXPECT_NEAR(problem.rest(v), problem.ms(v) + rest, 1e-9);
      for (const auto [from, edge] : problem.preds(v))
        for (int a = 0; a < problem.devices(); ++a)
          for (int b = 0; b < problem.devices(); ++b)
            EXPECT_EQ(problem.transfer(edge, a, b),
                      a == b ? 0 : problem.cost().transfer_ms(problem.op(from), problem.op(v), a, b));
    }
  });
}

TEST(HiosProblem, RefusesCostsThatAreNoNumbers) {
  const Graph graph = test::diamond();
  for (double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    test::TestCost cost(graph);
    cost.set(graph.find("u2"), bad, 0.5);
    try {
      HiosProblem(cost, 2);
      FAIL() << bad;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("'u2'"), std::string::npos) << e.what();
    }
  }
}

TEST(HiosLp, PlacesPathsAsDefined) {
  for_each_problem([](const HiosProblem& problem) { EXPECT_EQ(hios_lp_orders(problem), plain_lp(problem)); });
}

TEST(HiosMr, RecordsMappingsAsDefined) {
  for_each_problem([](const HiosProblem& problem) {
    if (problem.size() > 60) return;  // the naive version is slow
    EXPECT_EQ(hios_mr_orders(problem), plain_mr(problem));
  });
}

TEST(Heft, StartsEveryOperatorWhereItEndsFirst) {
  for_each_problem([](const HiosProblem& problem) {
    StageCost cost(problem);
    StageGraph graph(problem, cost);
    graph.assign(heft_orders(problem));
    // The operator that was placed last has delayed no other, and must have the best of the remaining places.
    const int last = problem.size() - 1;
    const double end = graph.node(graph.stage_of(last)).end();
    graph.remove(last);
    double best = HUGE_VAL;
    for (int device = 0; device < problem.devices(); ++device) {
      double arrival = 0, free = 0;
      for (const auto [from, edge] : problem.preds(last)) {
        const auto& node = graph.node(graph.stage_of(from));
        arrival = std::max(arrival, node.end() + problem.transfer(edge, node.device, device));
      }
      for (int s = graph.first(device);; s = graph.node(s).next) {
        const double start = std::max(free, arrival);
        if (s < 0 || start + problem.ms(last) <= graph.node(s).head) {
          best = std::min(best, start + problem.ms(last));
          break;
        }
        free = graph.node(s).end();
      }
    }
    EXPECT_NEAR(end, best, 1e-9);
  });
}

TEST(StageGraph, AgreesWithTheEvaluatorAfterEveryChange) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    UnevenLinks uneven(test::small_dag(3 + seed % 25, seed));
    SyntheticCost even = synthetic_cost(test::small_dag(3 + seed % 25, seed));
    SyntheticCost& cost = seed % 2 ? uneven : even;
    const HiosProblem problem(cost, 1 + seed % 4);
    StageCost stage_cost(problem);
    StageGraph graph(problem, stage_cost);
    graph.assign(hios_lp_orders(problem));
    std::mt19937_64 random(seed);
    for (int step = 0; step < 60; ++step) {
      const int op = static_cast<int>(random() % static_cast<std::uint64_t>(problem.size()));
      const auto home = graph.remove(op);
      Evaluator evaluator(cost);
      ASSERT_NEAR(graph.makespan(), evaluator.evaluate(graph.schedule()).makespan, 1e-9) << "without the operator";
      const double without = graph.makespan();
      std::vector<StageGraph::Place> places;
      graph.places(op, 3, HUGE_VAL, [&](const StageGraph::Place& place) { places.push_back(place); });
      const auto place = places.empty() ? home : places[random() % places.size()];
      graph.insert(op, place);
      const Schedule schedule = graph.schedule();
      ASSERT_NO_THROW(validate(cost.graph(), schedule));
      const Timeline timeline = evaluate(cost, schedule);
      ASSERT_NEAR(graph.makespan(), timeline.makespan, 1e-9);
      if (!places.empty()) {
        ASSERT_NEAR(graph.makespan(), std::max(without, place.length), 1e-9) << "not what was promised";
      }
      for (int v = 0; v < problem.size(); ++v)
        ASSERT_NEAR(graph.node(graph.stage_of(v)).head, timeline.start[problem.op(v)], 1e-9);
      double longest = 0;
      for (int v = 0; v < problem.size(); ++v) {
        const auto& node = graph.node(graph.stage_of(v));
        longest = std::max(longest, node.head + node.tail());
      }
      ASSERT_NEAR(longest, graph.makespan(), 1e-9);
    }
  }
}

TEST(StageGraph, GoesBackToWhereItWas) {
  SyntheticCost cost = synthetic_cost(test::hios_dag(3));
  const HiosProblem problem(cost, 3);
  StageCost stage_cost(problem);
  StageGraph graph(problem, stage_cost);
  graph.assign(hios_lp_orders(problem));
  fuse_windows(graph, 3);
  const double makespan = graph.makespan();
  for (int v = 0; v < problem.size(); ++v) {
    graph.insert(v, graph.remove(v));
    ASSERT_NEAR(graph.makespan(), makespan, 1e-9);
  }
}

TEST(StageGraph, RefusesOrdersThatWaitForEachOther) {
  SyntheticCost cost = synthetic_cost({"chain", {1, 1}, {1, 1}, {{0, 1, 0}}});
  const HiosProblem problem(cost, 1);
  StageCost stage_cost(problem);
  StageGraph graph(problem, stage_cost);
  EXPECT_THROW(graph.assign({{1, 0}}), Error);
}

TEST(HiosWindow, NeverWorsensAndFusesAtMostTheWindow) {
  for_each_problem([](const HiosProblem& problem) {
    StageCost cost(problem);
    for (int window : {1, 2, 3, 5}) {
      StageGraph graph(problem, cost);
      graph.assign(hios_lp_orders(problem));
      const double before = graph.makespan();
      fuse_windows(graph, window);
      EXPECT_LE(graph.makespan(), before * (1 + 1e-9));
      EXPECT_NEAR(graph.makespan(), evaluate(problem.cost(), graph.schedule()).makespan, 1e-9);
      for (const DeviceSchedule& device : graph.schedule().devices)
        for (const Stage& stage : device.stages) EXPECT_LE(static_cast<int>(stage.groups.size()), window);
    }
  });
}

TEST(Hios, StaysOnOneDeviceWhereTransfersCostMoreThanTheyGain) {
  WeightedDag dag = random_dag({.operators = 40, .layers = 6, .dependencies = 80});
  for (auto& edge : dag.edges) edge.ms = 50;
  SyntheticCost cost = synthetic_cost(dag);
  const double sequential =
      evaluate(cost, make_schedule("sequential", {.cost = cost, .options = {}, .progress = {}})).makespan;
  for (const char* name : {"hios-lp", "hios-mr", "hios-lp-inter", "hios-mr-inter", "heft", "reinsert"}) {
    const Schedule schedule = make_schedule(name, {.cost = cost, .devices = 4, .options = {}, .progress = {}});
    EXPECT_LE(evaluate(cost, schedule).makespan, sequential * (1 + 1e-12)) << name;
  }
}

TEST(Hios, IsNeverSlowerOnSeveralDevicesThanOnOne) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    WeightedDag dag = seed % 2 == 0 ? test::hios_dag(seed) : test::small_dag(2 + seed % 14, seed);
    for (auto& edge : dag.edges)
      edge.ms *= static_cast<double>(seed % 10);  // small images, so that transfers are relatively expensive
    SyntheticCost cost = synthetic_cost(dag);
    const auto makespan = [&](const std::string& name, int devices, const SchedulerOptions& options = {}) {
      return evaluate(cost, make_schedule(name, {.cost = cost, .devices = devices, .options = options, .progress = {}}))
          .makespan;
    };
    for (int devices : {2, 4}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(devices) + " devices");
      for (const char* name : {"hios-lp", "hios-mr", "hios-lp-inter", "hios-mr-inter", "heft"})
        EXPECT_LE(makespan(name, devices), makespan(name, 1) * (1 + 1e-12)) << name;
      EXPECT_LE(makespan("reinsert", devices, {{"iterations", "20"}}), makespan("hios-lp-inter", 1) * (1 + 1e-12));
    }
  }
}

// Required results of HIOS's algorithms on 1,000 random DAGs.
TEST(Hios, ReachesItsMakespansOnAThousandRandomDags) {
  struct Target {
    const char* name;
    int devices;
    double mean, sum = 0;
  };
  std::vector<Target> targets{{"hios-lp", 2, 0.53}, {"hios-lp", 4, 0.34}, {"hios-mr", 2, 0.52}, {"hios-mr", 4, 0.36}};
  constexpr int dags = 1000;
  for (int seed = 1; seed <= dags; ++seed) {
    SyntheticCost cost = synthetic_cost(test::hios_dag(seed));
    double sequential = 0;
    for (OpId op : cost.graph().units()) sequential += cost.operator_ms(op);
    for (Target& target : targets) {
      const Schedule schedule =
          make_schedule(target.name, {.cost = cost, .devices = target.devices, .options = {}, .progress = {}});
      const double makespan = evaluate(cost, schedule).makespan;
      ASSERT_GE(makespan, lower_bounds(cost, target.devices).lower() * (1 - 1e-12)) << target.name << ", seed " << seed;
      target.sum += makespan / sequential;
    }
  }
  for (const Target& target : targets) {
    const std::string name = std::string(target.name) + "_on_" + std::to_string(target.devices);
    EXPECT_LE(target.sum / dags, target.mean) << name;
    RecordProperty(name, std::to_string(target.sum / dags));
  }
}

}  // namespace
}  // namespace opsched

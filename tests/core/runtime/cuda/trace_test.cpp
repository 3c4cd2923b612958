// Measured timelines: CUPTI's records are matched with the operators that ran.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/cost/profile/profile.hpp"
#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

TEST(MeasuredTrace, NamesEveryOperator) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  CudaRuntime runtime({.precision = Precision::fp32, .cache_file = "", .device_ids = {}, .progress = {}});
  DeviceFacts facts;
  facts.name = runtime.device().name;
  Profile profile(facts, Precision::fp32);
  const auto cost = runtime.make_cost(graph, profile);
  for (const char* scheduler : {"sequential", "wavefront", "dataflow"}) {
    SCOPED_TRACE(scheduler);
    const Schedule schedule = make_schedule(scheduler, {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
    const auto executor = runtime.make_executor(graph, schedule, 1);
    const double latency = executor->measure({}).median;
    Trace trace;
    try {
      trace = executor->trace();
    } catch (const Error& e) {
      if (std::string(e.what()).find("no CUPTI") == std::string::npos) throw;
      GTEST_SKIP() << e.what();
    }
    // Tracing delays kernel launches, but a run is neither shorter than without tracing nor many times as long.
    EXPECT_GT(trace.makespan, 0.5 * latency);
    EXPECT_LT(trace.makespan, 10 * latency);
    std::set<std::string> names;
    for (const TraceEvent& e : trace.events) {
      EXPECT_LE(0, e.start);
      EXPECT_LT(e.start, e.end);
      EXPECT_LE(e.end, trace.makespan);
      EXPECT_NE(trace.rows[e.row].name, "other") << e.kernel;
      if (e.kind != TraceEvent::Kind::compute) continue;
      EXPECT_GE(e.stage, 0);
      EXPECT_GT(e.blocks, 0);
      EXPECT_GT(e.blocks_per_sm, 0) << e.kernel;
      names.insert(e.name);
    }
    // A join may take no time, because its producers write in place. Convolutions and pools always take some.
    for (OpId op : graph.units())
      EXPECT_TRUE(graph.op(op).layers.empty() || names.contains(graph.op(op).name)) << graph.op(op).name;
  }
}

}  // namespace
}  // namespace opsched

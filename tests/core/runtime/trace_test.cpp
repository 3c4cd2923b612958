// Timelines: they agree with the simulator, and their files can be read.
#include "core/runtime/trace/trace.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/program_trace.hpp"
#include "core/runtime/sim/sim_executor.hpp"
#include "core/runtime/sim/sim_trace.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "core/runtime/trace/explain.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/test_cost.hpp"
#include "tests/support/traced_schedules.hpp"

namespace opsched {
namespace {

using nlohmann::json;
using Kind = TraceEvent::Kind;
using test::for_random_schedules;

/// Each stage, and each operator by name or by the name of its merge.
std::map<std::string, TraceEvent> operators_of(const Trace& trace) {
  std::map<std::string, TraceEvent> events;
  for (const TraceEvent& e : trace.events) {
    if (e.kind != Kind::compute) continue;
    const bool first = events.emplace(e.name, e).second;
    EXPECT_TRUE(first) << e.name << " is there twice";
  }
  return events;
}

TEST(Trace, HoldsWhatTheSimulatorFinds) {
  for_random_schedules([](CostModel& cost, const Schedule& schedule) {
    const Graph& graph = cost.graph();
    const Simulation simulation = simulate(cost, schedule);
    const Trace trace = simulated_trace(cost, schedule);
    EXPECT_EQ(trace.makespan, simulation.timeline.makespan);
    const auto events = operators_of(trace);
    std::size_t found = 0;
    for (std::size_t d = 0; d < schedule.devices.size(); ++d)
      for (std::size_t s = 0; s < schedule.devices[d].stages.size(); ++s) {
        const Stage& stage = schedule.devices[d].stages[s];
        double first = 1e300, last = 0;
        for (std::size_t g = 0; g < stage.groups.size(); ++g)
          for (OpId op : stage.groups[g]) {
            const bool merge = stage.strategy == Strategy::merge;
            const auto it = events.find(merge ? merged_name(graph, stage.groups[g]) : graph.op(op).name);
            ASSERT_NE(it, events.end()) << graph.op(op).name;
            const TraceEvent& e = it->second;
            EXPECT_EQ(trace.rows[e.row].device, static_cast<int>(d));
            EXPECT_EQ(trace.rows[e.row].name, "stream " + std::to_string(g));
            EXPECT_EQ(e.stage, static_cast<int>(s));
            EXPECT_LE(e.start, e.end);
            if (!e.estimated) {
              EXPECT_EQ(e.start, simulation.timeline.start[op]);
              EXPECT_EQ(e.end, simulation.timeline.end[op]);
            }
            EXPECT_TRUE(!e.estimated || schedule.mode == Mode::barrier);
            EXPECT_GE(e.start, simulation.timeline.start[op]);
            EXPECT_LE(e.end, simulation.timeline.end[op]);
            first = std::min(first, e.start);
            last = std::max(last, e.end);
            if (!merge || op == stage.groups[g].front()) ++found;
          }
        if (schedule.mode == Mode::barrier) {
          const OpId any = stage.groups.front().front();
          EXPECT_EQ(first, simulation.timeline.start[any]);
          EXPECT_EQ(last, simulation.timeline.end[any]);
        }
      }
    EXPECT_GT(found, 3U);
    EXPECT_EQ(found, events.size());
    const auto transfers = std::ranges::count(trace.events, Kind::transfer, &TraceEvent::kind);
    EXPECT_EQ(transfers, static_cast<std::ptrdiff_t>(simulation.transfers.size()));
  });
}

TEST(Trace, TimedStepsAreNamedByOperatorAndStage) {
  for_random_schedules([](CostModel& cost, const Schedule& schedule) {
    const Graph& graph = cost.graph();
    const Program program = lower(graph, schedule, {});
    std::vector<StepActivity> activities;
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      activities.push_back({.step = static_cast<int>(i),
                            .device = program.steps[i].device,
                            .kernel = "kernel " + std::to_string(i),
                            .start = 5 + static_cast<double>(i),
                            .end = 5.5 + static_cast<double>(i)});
    activities.push_back({.device = 0, .kernel = "stranger", .start = 5, .end = 6});
    const Trace trace = program_trace(graph, schedule, program, 4, activities);
    EXPECT_EQ(trace.makespan, std::max(1.0, static_cast<double>(program.steps.size()) - 0.5));
    const std::vector<Slot> slots = slots_of(graph, schedule);
    std::size_t steps = 0;
    for (const TraceEvent& e : trace.events) {
      if (e.kind == Kind::stage) continue;
      if (e.kernel == "stranger") {
        EXPECT_EQ(trace.rows[e.row].name, "other");
        continue;
      }
      ++steps;
      const Step& step = program.steps.at(std::stoul(e.kernel.substr(7)));
      const std::string op = graph.op(step.op).name;
      EXPECT_EQ(e.start, static_cast<double>(&step - program.steps.data()));
      EXPECT_EQ(trace.rows[e.row].device, step.device);
      EXPECT_EQ(e.stage, slots[step.op].stage);
      EXPECT_TRUE(e.name.starts_with(op)) << e.name << " is not " << op;
      EXPECT_EQ(e.kind == Kind::transfer, step.kind == Step::Kind::transfer);
      EXPECT_EQ(e.bytes > 0, e.kind == Kind::transfer);
      const std::string row = trace.rows[e.row].name;
      EXPECT_TRUE(row.starts_with(e.kind == Kind::transfer ? "from device " : "stream ")) << row;
    }
    EXPECT_EQ(steps, program.steps.size());
  });
}

TEST(Trace, NothingOverlapsInARow) {
  for_random_schedules([](CostModel& cost, const Schedule& schedule) {
    const Trace trace = simulated_trace(cost, schedule);
    std::vector<double> end(trace.rows.size(), 0.0);
    for (const TraceEvent& e : trace.events) {
      EXPECT_GE(e.start, end[e.row]) << e.name;
      end[e.row] = e.end;
    }
    // A stream never needs a second row, because the simulator runs its operators one after another.
    for (const TraceRow& row : trace.rows) EXPECT_TRUE(!row.name.starts_with("stream") || !row.name.ends_with(")"));
    EXPECT_TRUE(std::ranges::is_sorted(trace.rows, {}, &TraceRow::device));
  });
}

TEST(Trace, EventsThatOverlapGetRowsOfTheirOwn) {
  Trace trace;
  trace.rows = {{1, "stream 0"}, {0, "stream 0"}};
  for (const auto& [row, start, end] : {std::tuple{0, 0.0, 2.0}, {0, 1.0, 3.0}, {0, 2.0, 4.0}, {1, 0.0, 9.0}})
    trace.events.push_back({.row = row, .name = "e", .start = start, .end = end});
  separate_overlaps(trace);
  ASSERT_EQ(trace.rows.size(), 3U);
  EXPECT_EQ(trace.rows[0].device, 0);
  EXPECT_EQ(trace.rows[1].name, "stream 0");
  EXPECT_EQ(trace.rows[2].name, "stream 0 (overlapping)");
  std::vector<int> rows;
  for (const TraceEvent& e : trace.events) rows.push_back(e.row);
  EXPECT_EQ(rows, (std::vector<int>{0, 1, 1, 2}));
}

TEST(Trace, JsonIsWhatTraceViewersRead) {
  for_random_schedules([](CostModel& cost, const Schedule& schedule) {
    const Trace trace = simulated_trace(cost, schedule);
    const json file = json::parse(trace_to_json(trace));
    EXPECT_EQ(file.at("otherData").at("makespan_ms").get<double>(), trace.makespan);
    std::map<std::pair<int, int>, std::string> rows;
    std::size_t events = 0;
    for (const json& e : file.at("traceEvents")) {
      const std::pair where(e.at("pid").get<int>(), e.at("tid").get<int>());
      if (e.at("ph") == "M") {
        if (e.at("name") == "thread_name") rows[where] = e.at("args").at("name");
        continue;
      }
      if (e.at("ph") != "X") continue;
      ASSERT_TRUE(rows.contains(where)) << "a row is named before its events";
      const TraceEvent& same = trace.events.at(events++);
      EXPECT_EQ(e.at("name"), same.name);
      EXPECT_DOUBLE_EQ(e.at("ts").get<double>(), 1000 * same.start);
      EXPECT_NEAR(e.at("dur").get<double>(), 1000 * (same.end - same.start), 1e-6);
      EXPECT_EQ(e.at("args").value("stage", -1), same.stage);
    }
    EXPECT_EQ(events, trace.events.size());
    EXPECT_EQ(rows.size(), trace.rows.size());
  });
}

TEST(Trace, PicturesHoldEveryEvent) {
  const Graph graph = test::RandomCnn(3).draw(3);
  test::TestCost cost(graph);
  Trace trace = simulated_trace(cost, test::random_schedule(graph, 2, Mode::barrier, 3));
  trace.events.front().name = "<a & \"b\">";
  const std::string svg = trace_to_svg(trace);
  explain(trace, graph, test::random_schedule(graph, 2, Mode::barrier, 3), {});
  const std::string explained = trace_to_svg(trace);
  EXPECT_EQ(svg.find("critical path"), std::string::npos);
  EXPECT_NE(explained.find("critical path: each event waited for the previous one"), std::string::npos);
  std::size_t bars = 0;
  for (std::size_t at = svg.find("<title>"); at != std::string::npos; at = svg.find("<title>", at + 1)) ++bars;
  EXPECT_EQ(bars, trace.events.size());
  EXPECT_NE(svg.find("&lt;a &amp; &quot;b&quot;&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Trace, OnlyBackEndsThatKnowTimesTrace) {
  const Graph graph = test::RandomCnn(1).draw(2);
  test::TestCost cost(graph);
  const Schedule schedule = test::random_schedule(graph, 1, Mode::barrier, 1);
  EXPECT_EQ(make_sim_executor(cost, schedule, nullptr)->trace().source, "simulated");
  EXPECT_THROW(make_cpu_executor(graph, schedule, 1)->trace(), Error);
}

TEST(Trace, TheCommandWritesBothFiles) {
  const test::TempDir dir;
  const std::string common = "trace squeezenet --device sim --profile " + test::made_up_profile();
  const std::string out = dir.file("t.json"), picture = dir.file("t.svg");
  const test::ProgramResult result =
      test::run_program(common + " --scheduler wavefront -o " + out + " --gantt " + picture);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("ms, simulated on the profile of"), std::string::npos) << result.out;
  const json file = json::parse(read_file(out));
  EXPECT_EQ(file.at("otherData").at("scheduler"), "wavefront");
  EXPECT_GT(file.at("traceEvents").size(), 50U);
  EXPECT_EQ(file.at("otherData").at("batch"), 1);
  EXPECT_EQ(file.at("otherData").at("precision"), "fp32");
  const std::string svg = read_file(picture);
  EXPECT_TRUE(svg.starts_with("<svg"));
  for (const char* said : {"squeezenet, batch 1, fp32: wavefront", "profile of"})  // with the GPU in its name
    EXPECT_NE(svg.find(said), std::string::npos) << said;

  for (const auto& [args, word] : {std::pair<std::string, std::string>{" --scheduler wavefront", "trace.json"},
                                   {" -o x.json", "--scheduler"},
                                   {" --scheduler wavefront --schedule s.json -o x.json", "s.json"},
                                   {" --scheduler magic -o x.json", "magic"},
                                   {" --scheduler wavefront -o /proc/none/t.json", "/proc/none"}}) {
    const test::ProgramResult refused = test::run_program(common + args);
    EXPECT_EQ(refused.code, 2) << args;
    EXPECT_NE(refused.err.find(word), std::string::npos) << refused.err;
  }
}

}  // namespace
}  // namespace opsched

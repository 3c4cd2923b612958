// What the events of a trace wait for, and the arrows and arguments in trace files.
#include "core/runtime/trace/explain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/runtime/sim/sim_trace.hpp"
#include "tests/support/traced_schedules.hpp"

namespace opsched {
namespace {

using nlohmann::json;
using EventKind = TraceEvent::Kind;

/// Calls `check` with every random schedule, simulated and explained.
template <class Check>
void for_explained_traces(Check check) {
  test::for_random_schedules([&](test::TestCost& cost, const Schedule& schedule) {
    Trace trace = simulated_trace(cost, schedule);
    explain(trace, cost.graph(), schedule, [&](OpId op) { return cost.operator_ms(op); });
    check(cost.graph(), cost, schedule, trace);
  });
}

TEST(Explain, InputsAreWhatTheGraphSays) {
  int crossings = 0;
  for_explained_traces([&](const Graph& graph, CostModel&, const Schedule&, const Trace& trace) {
    for (const TraceEvent& e : trace.events) {
      if (e.kind != EventKind::compute) continue;
      std::set<OpId> read, made;
      for (OpId op : e.ops)
        for (OpId before : graph.preds(op))
          if (!graph.op(before).is_input()) read.insert(before);
      for (int input : e.inputs) {
        const TraceEvent& from = trace.events.at(input);
        crossings += from.kind == EventKind::transfer;
        EXPECT_EQ(trace.rows[from.row].device, trace.rows[e.row].device) << "what another device made is carried over";
        for (OpId op : from.ops)
          if (!graph.op(op).is_input()) made.insert(op);
        // A reader of a part of an output may start before all of it has arrived.
        EXPECT_LE(from.kind == EventKind::transfer ? from.start : from.end, e.start + 1e-6)
            << from.name << ", " << e.name;
      }
      EXPECT_TRUE(std::ranges::includes(made, read)) << e.name;
    }
  });
  EXPECT_GT(crossings, 10);
}

/// Device and stream or link of an event. Overlapping bars of one line are drawn in several rows.
std::pair<int, std::string> line_of(const Trace& trace, const TraceEvent& e) {
  const TraceRow& row = trace.rows[e.row];
  return {row.device, row.name.substr(0, row.name.find(" ("))};
}

TEST(Explain, WhatAnEventWaitedForEndedLast) {
  std::map<Wait::Why, int> reasons;
  for_explained_traces([&](const Graph&, CostModel&, const Schedule&, const Trace& trace) {
    for (const TraceEvent& e : trace.events) {
      ++reasons[e.waited_for.why];
      EXPECT_EQ(e.waited_for.event < 0, e.waited_for.why == Wait::Why::nothing);
      if (e.waited_for.event < 0) continue;
      const TraceEvent& before = trace.events.at(e.waited_for.event);
      const auto until = [&](const TraceEvent& other) { return std::min(other.end, e.start); };
      for (int input : e.inputs) EXPECT_LE(until(trace.events[input]), until(before)) << e.name;
      const bool input = std::ranges::find(e.inputs, e.waited_for.event) != e.inputs.end();
      switch (e.waited_for.why) {
        case Wait::Why::input:
          EXPECT_TRUE(input) << e.name;
          break;
        case Wait::Why::stream:
          EXPECT_EQ(line_of(trace, before), line_of(trace, e));
          break;
        case Wait::Why::barrier:
          EXPECT_EQ(before.stage, e.stage - 1);
          break;
        case Wait::Why::nothing:
          ADD_FAILURE() << e.name;
      }
    }
  });
  for (Wait::Why why : {Wait::Why::input, Wait::Why::stream, Wait::Why::barrier}) EXPECT_GT(reasons[why], 3);
}

TEST(Explain, TheCriticalPathIsOneChainToTheEnd) {
  for_explained_traces([](const Graph&, CostModel& cost, const Schedule& schedule, const Trace& trace) {
    std::vector<const TraceEvent*> path;
    double end = 0;
    for (const TraceEvent& e : trace.events) {
      if (e.critical) path.push_back(&e);
      if (e.kind != EventKind::stage) end = std::max(end, e.end);
    }
    ASSERT_FALSE(path.empty());
    std::ranges::sort(path, {}, [](const TraceEvent* e) { return std::pair(e->start, e->end); });
    EXPECT_EQ(path.front()->waited_for.event, -1);
    EXPECT_EQ(path.back()->end, end);
    for (std::size_t i = 1; i < path.size(); ++i)
      EXPECT_EQ(path[i]->waited_for.event, path[i - 1] - trace.events.data()) << path[i]->name;
    // These costs have no overheads, so on one device there are no gaps on the critical path.
    if (schedule.devices.size() == 1) {
      for (std::size_t i = 1; i < path.size(); ++i)
        EXPECT_NEAR(path[i]->start, path[i - 1]->end, 1e-6) << path[i]->name;
    }
    double solo = 0;
    for (const TraceEvent& e : trace.events) {
      double sum = 0;
      for (OpId op : e.ops) sum += e.kind == EventKind::compute ? cost.operator_ms(op) : 0;
      EXPECT_DOUBLE_EQ(e.solo_ms, sum);
      solo += sum;
    }
    EXPECT_GT(solo, 0);
  });
}

/// Fields that the format requires of an event, by its phase, with their types.
void check_event(const json& e) {
  const std::string phase = e.at("ph");
  EXPECT_TRUE(e.at("name").is_string());
  EXPECT_TRUE(e.at("pid").is_number_integer() && e.at("tid").is_number_integer());
  if (phase == "M") {
    const std::set<std::string> known = {"process_name", "thread_name", "thread_sort_index"};
    EXPECT_TRUE(known.contains(e.at("name"))) << e;
    EXPECT_TRUE(e.at("args").is_object());
    return;
  }
  EXPECT_TRUE(e.at("cat").is_string());
  EXPECT_GE(e.at("ts").get<double>(), 0);
  if (phase == "X") {
    EXPECT_GE(e.at("dur").get<double>(), 0);
    EXPECT_TRUE(e.at("args").is_object());
    return;
  }
  ASSERT_TRUE(phase == "s" || phase == "f") << "a phase that the format does not have, or that we do not write: " << e;
  EXPECT_TRUE(e.at("id").is_number_integer());
  EXPECT_EQ(e.value("bp", ""), phase == "f" ? "e" : "");
}

/// Whether an event encloses this end of an arrow in time and row. Viewers drop arrows without one.
bool binds(const json& events, const json& end) {
  return std::ranges::any_of(events, [&](const json& e) {
    return e.at("ph") == "X" && e.at("pid") == end.at("pid") && e.at("tid") == end.at("tid") &&
           e.at("ts").get<double>() <= end.at("ts").get<double>() + 1e-9 &&
           end.at("ts").get<double>() <= e.at("ts").get<double>() + e.at("dur").get<double>() + 1e-9;
  });
}

TEST(Explain, FilesFollowTheTraceEventFormat) {
  for_explained_traces([](const Graph&, CostModel&, const Schedule&, const Trace& trace) {
    const json file = json::parse(trace_to_json(trace));
    EXPECT_TRUE(file.at("displayTimeUnit") == "ms" || file.at("displayTimeUnit") == "ns");
    EXPECT_TRUE(file.at("otherData").is_object());
    const json& events = file.at("traceEvents");
    std::map<int, std::vector<const json*>> arrows;
    for (const json& e : events) {
      check_event(e);
      if (e.contains("id")) arrows[e.at("id")].push_back(&e);
    }
    std::size_t inputs = 0;
    for (const TraceEvent& e : trace.events) inputs += e.inputs.size();
    EXPECT_EQ(arrows.size(), inputs);
    for (const auto& [id, ends] : arrows) {
      ASSERT_EQ(ends.size(), 2U) << id;
      EXPECT_EQ(ends[0]->at("ph"), "s");
      EXPECT_EQ(ends[1]->at("ph"), "f");
      EXPECT_LE(ends[0]->at("ts").get<double>(), ends[1]->at("ts").get<double>()) << "arrows go forward in time";
      for (const json* end : ends) EXPECT_TRUE(binds(events, *end)) << *end;
    }
  });
}

TEST(Explain, FilesSayWhatAnEventIs) {
  for_explained_traces([](const Graph& graph, CostModel& cost, const Schedule&, const Trace& trace) {
    const json file = json::parse(trace_to_json(trace));
    std::size_t found = 0, critical = 0;
    for (const json& e : file.at("traceEvents")) {
      const OpId op = e.at("ph") == "X" && e.at("cat") == "operator" ? graph.find(e.at("name")) : -1;
      if (op < 0) continue;
      const json& args = e.at("args");
      EXPECT_EQ(args.at("kind"), kind_name(graph.op(op)));
      EXPECT_EQ(args.at("shape"), to_string(graph.op(op).input) + " -> " + to_string(graph.op(op).output));
      EXPECT_DOUBLE_EQ(args.at("solo_ms").get<double>(), cost.operator_ms(op));
      critical += args.value("critical", false);
      ++found;
    }
    EXPECT_GT(found, 3U);
    EXPECT_GT(critical, 0U);
  });
}

}  // namespace
}  // namespace opsched

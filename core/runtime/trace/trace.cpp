#include "core/runtime/trace/trace.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace opsched {

int Trace::row(int device, const std::string& name) {
  const auto it = std::ranges::find_if(rows, [&](const TraceRow& r) { return r.device == device && r.name == name; });
  if (it != rows.end()) return static_cast<int>(it - rows.begin());
  rows.push_back({device, name});
  return static_cast<int>(rows.size()) - 1;
}

Trace empty_trace(const Graph& graph, const Schedule& schedule) {
  Trace trace;
  trace.graph = graph.name();
  trace.batch = graph.batch();
  trace.scheduler = schedule.scheduler;
  trace.mode = schedule.mode;
  for (std::size_t d = 0; d < schedule.devices.size(); ++d) {
    if (schedule.mode == Mode::barrier) trace.row(static_cast<int>(d), "stages");
    std::size_t streams = 0;
    for (const Stage& stage : schedule.devices[d].stages) streams = std::max(streams, stage.groups.size());
    for (std::size_t s = 0; s < streams; ++s) trace.row(static_cast<int>(d), "stream " + std::to_string(s));
  }
  return trace;
}

std::string merged_name(const Graph& graph, const Group& ops) {
  std::string name;
  for (OpId op : ops) name += (name.empty() ? "" : " + ") + graph.op(op).name;
  return name;
}

void add_stages(Trace& trace, const Schedule& schedule) {
  if (schedule.mode != Mode::barrier) return;
  std::map<std::pair<int, int>, std::pair<double, double>> spans;  // by device and stage
  for (const TraceEvent& e : trace.events) {
    if (e.kind != TraceEvent::Kind::compute || e.stage < 0) continue;
    const auto [it, first] = spans.try_emplace({trace.rows[e.row].device, e.stage}, e.start, e.end);
    it->second = {std::min(it->second.first, e.start), std::max(it->second.second, e.end)};
  }
  for (const auto& [where, span] : spans) {
    const auto [device, index] = where;
    const Stage& stage = schedule.devices.at(device).stages.at(index);
    const std::string what = stage.strategy == Strategy::merge ? "merge"
                             : stage.groups.size() == 1        ? "1 group"
                                                               : std::to_string(stage.groups.size()) + " groups";
    trace.events.push_back({.kind = TraceEvent::Kind::stage,
                            .row = trace.row(device, "stages"),
                            .name = "stage " + std::to_string(index) + ", " + what,
                            .stage = index,
                            .start = span.first,
                            .end = span.second});
  }
}

void separate_overlaps(Trace& trace) {
  std::ranges::stable_sort(trace.events, {}, [](const TraceEvent& e) { return std::pair(e.row, e.start); });
  std::vector<TraceRow> rows;
  std::vector<std::vector<double>> free_from(trace.rows.size());  // end time, by row and lane
  std::vector<int> lanes(trace.events.size());
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const TraceEvent& e = trace.events[i];
    std::vector<double>& ends = free_from[e.row];
    const auto lane = std::ranges::find_if(ends, [&](double end) { return end <= e.start; });
    lanes[i] = static_cast<int>(lane - ends.begin());
    if (lane == ends.end())
      ends.push_back(e.end);
    else
      *lane = e.end;
  }
  std::vector<int> first(trace.rows.size());
  std::vector<std::size_t> by_device(trace.rows.size());
  std::iota(by_device.begin(), by_device.end(), 0);
  std::ranges::stable_sort(by_device, {}, [&](std::size_t r) { return trace.rows[r].device; });
  for (std::size_t r : by_device) {
    first[r] = static_cast<int>(rows.size());
    rows.push_back(trace.rows[r]);
    for (std::size_t lane = 1; lane < free_from[r].size(); ++lane)
      rows.push_back({trace.rows[r].device, trace.rows[r].name + " (overlapping)"});
  }
  for (std::size_t i = 0; i < trace.events.size(); ++i) trace.events[i].row = first[trace.events[i].row] + lanes[i];
  trace.rows = std::move(rows);
  std::ranges::stable_sort(trace.events, {}, [](const TraceEvent& e) { return std::pair(e.row, e.start); });
}

}  // namespace opsched

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/runtime/trace/trace.hpp"

namespace opsched {
namespace {

using nlohmann::ordered_json;

const char* category(TraceEvent::Kind kind) {
  switch (kind) {
    case TraceEvent::Kind::stage:
      return "stage";
    case TraceEvent::Kind::compute:
      return "operator";
    case TraceEvent::Kind::transfer:
      return "transfer";
  }
  return "";
}

ordered_json metadata(const char* what, int device, int row, ordered_json arguments) {
  return {{"ph", "M"}, {"name", what}, {"pid", device}, {"tid", row}, {"args", std::move(arguments)}};
}

/// The event that this one waited for, why, and the gap before it started.
ordered_json wait_json(const Trace& trace, const TraceEvent& e) {
  const TraceEvent& before = trace.events[e.waited_for.event];
  return {{"event", before.name}, {"why", to_string(e.waited_for.why)}, {"gap_us", 1000 * (e.start - before.end)}};
}

ordered_json to_json(const Trace& trace, const TraceEvent& e) {
  ordered_json arguments = ordered_json::object();
  if (e.stage >= 0) arguments["stage"] = e.stage;
  for (const auto& [name, text] : {std::pair("kind", &e.operation), {"layers", &e.layers}, {"shape", &e.shape}})
    if (!text->empty()) arguments[name] = *text;
  if (e.solo_ms > 0) arguments["solo_ms"] = e.solo_ms;
  if (!e.inputs.empty()) {
    ordered_json& names = arguments["inputs"] = ordered_json::array();
    for (int input : e.inputs) names.push_back(trace.events[input].name);
  }
  if (e.waited_for.event >= 0) arguments["waited_for"] = wait_json(trace, e);
  if (e.critical) arguments["critical"] = true;
  if (!e.kernel.empty()) arguments["kernel"] = e.kernel;
  if (e.bytes > 0) arguments["bytes"] = e.bytes;
  if (e.blocks > 0)
    arguments.update({{"blocks", e.blocks}, {"threads", e.threads}, {"blocks_per_sm", e.blocks_per_sm}});
  if (e.estimated) arguments["estimated"] = true;
  return {{"ph", "X"},    {"name", e.name},       {"cat", category(e.kind)},         {"pid", trace.rows[e.row].device},
          {"tid", e.row}, {"ts", 1000 * e.start}, {"dur", 1000 * (e.end - e.start)}, {"args", std::move(arguments)}};
}

/// One end of an arrow: from the end of what is read to the start of what reads it. Viewers bind an end to the event
/// that encloses it in time.
ordered_json arrow(const char* phase, int id, int device, int row, double ms) {
  ordered_json json = {{"ph", phase},   {"name", "reads"}, {"cat", "input"}, {"id", id},
                       {"pid", device}, {"tid", row},      {"ts", 1000 * ms}};
  if (*phase == 'f') json["bp"] = "e";
  return json;
}

}  // namespace

std::string trace_to_json(const Trace& trace) {
  const ordered_json facts = {{"graph", trace.graph},          {"scheduler", trace.scheduler},
                              {"mode", to_string(trace.mode)}, {"batch", trace.batch},
                              {"precision", trace.precision},  {"source", trace.source},
                              {"makespan_ms", trace.makespan}};
  std::string text = "{\"displayTimeUnit\":\"ns\",\"otherData\":" + facts.dump() + ",\"traceEvents\":[";
  const char* separator = "\n";
  const auto add = [&](const ordered_json& json) {
    text += separator + json.dump();
    separator = ",\n";
  };
  for (std::size_t r = 0; r < trace.rows.size(); ++r) {
    const int device = trace.rows[r].device, row = static_cast<int>(r);
    if (r == 0 || trace.rows[r - 1].device != device)
      add(metadata("process_name", device, row, {{"name", "device " + std::to_string(device)}}));
    add(metadata("thread_name", device, row, {{"name", trace.rows[r].name}}));
    add(metadata("thread_sort_index", device, row, {{"sort_index", row}}));
  }
  for (const TraceEvent& e : trace.events) add(to_json(trace, e));
  int arrows = 0;
  for (const TraceEvent& e : trace.events)
    for (int input : e.inputs) {
      const TraceEvent& from = trace.events[input];
      if (from.start > e.start) continue;  // a kernel that started early: its arrow would go backwards in time
      add(arrow("s", arrows, trace.rows[from.row].device, from.row, std::min(from.end, e.start)));
      add(arrow("f", arrows++, trace.rows[e.row].device, e.row, e.start));
    }
  return text + "\n]}\n";
}

}  // namespace opsched

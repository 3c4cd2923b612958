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

ordered_json to_json(const TraceEvent& e, int device) {
  ordered_json arguments = ordered_json::object();
  if (e.stage >= 0) arguments["stage"] = e.stage;
  if (!e.kernel.empty()) arguments["kernel"] = e.kernel;
  if (e.bytes > 0) arguments["bytes"] = e.bytes;
  if (e.blocks > 0)
    arguments.update({{"blocks", e.blocks}, {"threads", e.threads}, {"blocks_per_sm", e.blocks_per_sm}});
  if (e.estimated) arguments["estimated"] = true;
  return {{"ph", "X"},    {"name", e.name},       {"cat", category(e.kind)},         {"pid", device},
          {"tid", e.row}, {"ts", 1000 * e.start}, {"dur", 1000 * (e.end - e.start)}, {"args", std::move(arguments)}};
}

}  // namespace

std::string trace_to_json(const Trace& trace) {
  const ordered_json facts = {{"graph", trace.graph},
                              {"scheduler", trace.scheduler},
                              {"mode", to_string(trace.mode)},
                              {"source", trace.source},
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
  for (const TraceEvent& e : trace.events) add(to_json(e, trace.rows[e.row].device));
  return text + "\n]}\n";
}

}  // namespace opsched

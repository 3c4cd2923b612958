#include "core/runtime/trace/explain.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/graph/describe.hpp"
#include "core/names.hpp"

namespace opsched {
namespace {

using Kind = TraceEvent::Kind;
using Why = Wait::Why;

/// Finds what each event waits for.
class Explainer {
 public:
  Explainer(Trace& trace, const Graph& graph) : trace_(trace), graph_(graph) {
    for (int i = 0; i < size(); ++i) {
      const TraceEvent& e = event(i);
      const int device = trace_.rows[e.row].device;
      for (OpId op : e.ops) (e.kind == Kind::transfer ? arrivals_[{op, device}] : runs_[op]).push_back(i);
      if (e.kind == Kind::compute && e.stage >= 0) later(stage_end_, {device, e.stage}, i);
    }
  }

  void explain() {
    std::vector<int> order(trace_.events.size());
    for (int i = 0; i < size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, {}, [&](int i) { return std::pair(event(i).start, event(i).end); });
    for (int i : order)
      if (event(i).kind != Kind::stage && !event(i).ops.empty()) wait(i);
    mark_critical();
  }

 private:
  int size() const { return static_cast<int>(trace_.events.size()); }
  TraceEvent& event(int i) { return trace_.events[i]; }

  template <class Key>
  void later(std::map<Key, int>& last, const Key& key, int i) {
    const auto [at, is_new] = last.try_emplace(key, i);
    if (!is_new && event(at->second).end < event(i).end) at->second = i;
  }

  /// Finds the events that produce an operator's output, as seen by a device.
  void add_makers(OpId op, int device, std::set<int>& found) const {
    if (const auto there = arrivals_.find({op, device}); there != arrivals_.end())
      found.insert(there->second.begin(), there->second.end());
    else if (const auto run = runs_.find(op); run != runs_.end())
      found.insert(run->second.back());
    else
      for (OpId before : graph_.preds(op)) add_makers(before, device, found);
  }

  void find_inputs(int i) {
    TraceEvent& e = event(i);
    std::set<int> makers;
    if (e.kind == Kind::transfer) {
      for (OpId op : e.ops)
        if (const auto run = runs_.find(op); run != runs_.end()) makers.insert(run->second.back());
    } else {
      const int device = trace_.rows[e.row].device;
      for (OpId op : e.ops)
        for (OpId before : graph_.preds(op)) add_makers(before, device, makers);
    }
    makers.erase(i);
    e.inputs.assign(makers.begin(), makers.end());
  }

  /// An event waited for the candidate that ended last; ties go to inputs, then stream, then barrier. A candidate may
  /// end after the event begins, because a kernel can start early and a reader can start with the part that has
  /// arrived: it then counts as ending when the event begins.
  void consider(int i, int before, Why why) {
    TraceEvent& e = event(i);
    if (event(before).start > e.start || before == i) return;
    const auto until = [&](int other) { return std::min(event(other).end, e.start); };
    if (e.waited_for.event < 0 || until(before) > until(e.waited_for.event)) e.waited_for = {why, before};
  }

  void wait(int i) {
    find_inputs(i);
    const TraceEvent& e = event(i);
    const TraceRow& row = trace_.rows[e.row];
    for (int before : e.inputs) consider(i, before, Why::input);
    const std::pair line(row.device, row.name.substr(0, row.name.find(" (")));
    if (const auto before = line_end_.find(line); before != line_end_.end()) consider(i, before->second, Why::stream);
    later(line_end_, line, i);
    if (trace_.mode == Mode::barrier && e.kind == Kind::compute)
      if (const auto before = stage_end_.find({row.device, e.stage - 1}); before != stage_end_.end())
        consider(i, before->second, Why::barrier);
  }

  void mark_critical() {
    int last = -1;
    for (int i = 0; i < size(); ++i)
      if (event(i).kind != Kind::stage && (last < 0 || event(i).end > event(last).end)) last = i;
    for (; last >= 0 && !event(last).critical; last = event(last).waited_for.event) event(last).critical = true;
  }

  Trace& trace_;
  const Graph& graph_;
  std::map<OpId, std::vector<int>> runs_;                      ///< by operator, in order of start
  std::map<std::pair<OpId, int>, std::vector<int>> arrivals_;  ///< by operator carried and target device
  std::map<std::pair<int, int>, int> stage_end_;               ///< last event to end, by device and stage
  std::map<std::pair<int, std::string>, int> line_end_;  ///< last event to end so far, by device and stream or link
};

void describe_event(TraceEvent& e, const Graph& graph, const std::function<double(OpId)>& solo_ms) {
  if (e.ops.empty()) return;
  const Operator& first = graph.op(e.ops.front());
  if (e.kind == Kind::transfer) {
    e.operation = "transfer";
    e.shape = to_string(first.output);
    return;
  }
  e.operation = e.ops.size() > 1 ? "merge of " + std::to_string(e.ops.size()) : kind_name(first);
  const auto layers = [&](OpId op) {
    return joined(graph.op(op).layers, [](const Layer& layer) { return describe(layer); });
  };
  e.layers = joined(e.ops, layers, " | ");
  e.shape = to_string(first.input) + " -> " + joined(e.ops, [&](OpId op) { return to_string(graph.op(op).output); });
  if (solo_ms)
    for (OpId op : e.ops) e.solo_ms += solo_ms(op);
}

}  // namespace

std::string to_string(Wait::Why why) {
  switch (why) {
    case Why::nothing:
      return "nothing";
    case Why::input:
      return "input";
    case Why::stream:
      return "stream";
    case Why::barrier:
      return "barrier";
  }
  return "";
}

void explain(Trace& trace, const Graph& of, const Schedule& schedule, const std::function<double(OpId)>& solo_ms) {
  const std::shared_ptr<const Graph> graph = scheduled_graph(of, schedule);
  for (TraceEvent& e : trace.events) describe_event(e, *graph, solo_ms);
  Explainer(trace, *graph).explain();
}

}  // namespace opsched

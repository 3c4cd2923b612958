#include "experiments/studies/timelines.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/trace/explain.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/bench/cases.hpp"

namespace opsched {
namespace {

using records::Record;

/// Graph and costs of the last case, which its neighbours share.
class NeighbourCosts {
 public:
  explicit NeighbourCosts(Device& device) : device_(device) {}

  CostModel& of(const records::Case& what) {
    if (costs_ && of_.neighbourhood() == what.neighbourhood()) return *costs_;
    costs_.reset();
    device_.require(what.gpus, what.precision);
    graph_ = std::make_unique<Graph>(bench::make_graph(what));
    costs_ = device_.costs(*graph_, what.precision);
    of_ = what;
    return *costs_;
  }

 private:
  Device& device_;
  records::Case of_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<CostModel> costs_;
};

std::string timeline_of(const Record& record, const std::string& text, CostModel& costs, Device& device) {
  if (fingerprint(costs.graph()) != record.graph) throw Error("the network has changed since");
  Schedule schedule = schedule_from_text(text);
  schedule.graph = costs.graph().name();
  schedule.scheduler = record.what.scheduler_name();
  const std::unique_ptr<Executor> executor = device.executor(costs, schedule, record.what.precision, 1);
  Trace trace = executor->trace();
  trace.precision = to_string(record.what.precision);
  const ScheduledCosts solo(costs, schedule);
  explain(trace, costs.graph(), schedule, [&](OpId op) { return solo->operator_ms(op); });
  return trace_to_json(trace);
}

}  // namespace

TimelineCounts write_timelines(const records::Records& records, Device& device, const std::string& into,
                               const Report& report) {
  std::vector<const Record*> found = records.standing();
  std::erase_if(found,
                [&](const Record* r) { return r->quantity != "latency" || records.schedule(r->schedule) == nullptr; });
  std::ranges::stable_sort(found, {}, [](const Record* r) { return r->what.neighbourhood(); });
  TimelineCounts counts;
  NeighbourCosts costs(device);
  std::set<std::string> done;
  for (const Record* record : found) {
    const std::string file = record->graph + "-" + record->schedule + "-" + to_string(record->what.precision) + ".json";
    if (done.contains(file)) continue;
    if (report) report("timeline of " + record->what.name());
    try {
      const std::string& text = records.schedule(record->schedule)->text;
      write_file_atomically(into + "/" + file, timeline_of(*record, text, costs.of(record->what), device));
      done.insert(file);
    } catch (const Error& e) {
      ++counts.left_out[e.what()];
    }
  }
  counts.written = static_cast<int>(done.size());
  return counts;
}

}  // namespace opsched

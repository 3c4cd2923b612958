#include "experiments/studies/timelines.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/trace/explain.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/bench/replays.hpp"

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

using Texts = std::map<std::string, std::string>;  ///< of schedules, by fingerprint

/// Schedules that are not stored with their records, but that the same search on the folder's profile finds.
Texts search_again(const records::Records& records, const std::vector<const Record*>& found, const std::string& folder,
                   const Report& report) {
  std::map<std::string, const Record*> absent;
  for (const Record* r : found)
    if (records.schedule(r->schedule) == nullptr) absent.emplace(r->schedule, r);
  std::vector<bench::Case> cases;
  for (const auto& [schedule, record] : absent) cases.push_back(record->what);
  std::ranges::stable_sort(cases, {}, [](const bench::Case& c) { return c.neighbourhood(); });
  const auto show = [&](const bench::ReplayProgress& now) {
    if (report) report("schedules that are not stored: " + now.text);
  };
  Texts texts;
  for (const bench::Timed& one : bench::replay_cases(folder, cases, {.report = show}))
    if (absent.contains(one.record.schedule)) texts.emplace(one.record.schedule, to_text(one.schedule));
  return texts;
}

const std::string& text_of(const Record& record, const records::Records& records, const Texts& searched) {
  if (const auto* stored = records.schedule(record.schedule)) return stored->text;
  const auto again = searched.find(record.schedule);
  if (again == searched.end()) throw Error("its schedule is not stored, and the search finds another one now");
  return again->second;
}

}  // namespace

TimelineCounts write_timelines(const records::Records& records, const std::string& folder, Device& device,
                               const std::string& into, const Report& report) {
  std::vector<const Record*> found = records.standing();
  std::erase_if(found, [](const Record* r) { return r->quantity != "latency" || r->schedule.empty(); });
  std::ranges::stable_sort(found, {}, [](const Record* r) { return r->what.neighbourhood(); });
  const Texts searched = search_again(records, found, folder, report);
  TimelineCounts counts;
  NeighbourCosts costs(device);
  std::set<std::string> done;
  for (const Record* record : found) {
    const std::string file = record->graph + "-" + record->schedule + "-" + to_string(record->what.precision) + ".json";
    if (done.contains(file)) continue;
    if (report) report("timeline of " + record->what.name());
    try {
      const std::string& text = text_of(*record, records, searched);
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

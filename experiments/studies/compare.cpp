#include "experiments/studies/compare.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/bench/cases.hpp"

namespace opsched::compare {
namespace {

using nlohmann::ordered_json;
using records::Case;
using records::Records;

Records load(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) throw Error("'" + folder + "': no such folder");
  return Records::read(folder);
}

std::vector<const Record*> latencies(const Records& records, const std::string& folder) {
  std::vector<const Record*> list = records.standing();
  std::erase_if(list, [](const Record* r) { return r->quantity != "latency" || !r->labels.empty() || !r->value; });
  if (list.empty())
    throw Error("'" + folder +
                "' has no latencies: there is no records.jsonl with latencies in it (opsched bench --out " + folder +
                " measures them)");
  return list;
}

/// The run that made most of the records.
const records::Run& main_run(const Records& records, const std::vector<const Record*>& list) {
  std::map<std::string, int> count;
  for (const Record* record : list) ++count[records.run_of(*record).where()];
  const auto most = std::ranges::max_element(count, {}, [](const auto& entry) { return entry.second; });
  for (const Record* record : list)
    if (const records::Run& run = records.run_of(*record); run.where() == most->first) return run;
  throw Error("no record has a run");
}

std::string origin(const records::Run& run) {
  return run.where().empty() ? "an unknown device" : run.note.empty() ? run.where() : run.where() + ", " + run.note;
}

/// Why two records are not directly comparable: another provenance or kernel version. Devices may differ.
std::string mark_of(const Comparison& c, const Record& a, const Record& b) {
  if (a.provenance != b.provenance) return to_string(a.provenance) + " in A, " + to_string(b.provenance) + " in B";
  const std::string &ours = c.a.run_of(a).kernels, &theirs = c.b.run_of(b).kernels;
  const auto named = [](const std::string& kernels) { return kernels.empty() ? "unknown" : kernels; };
  return ours == theirs ? "" : "kernels " + named(ours) + " in A, " + named(theirs) + " in B";
}

/// The case without its scheduler.
auto question(const Case& c) { return std::tuple(c.software, c.network, c.precision, c.batch, c.image, c.gpus); }

std::vector<Best> best_of(const std::vector<Pair>& pairs) {
  std::vector<Best> list;
  for (const Pair& first : pairs) {
    if (!first.mark.empty() || first.a.what.software != "opsched" ||
        std::ranges::any_of(list, [&](const Best& b) { return question(b.a.what) == question(first.a.what); }))
      continue;
    const Pair *a = &first, *b = &first;
    for (const Pair& p : pairs) {
      if (!p.mark.empty() || question(p.a.what) != question(first.a.what)) continue;
      if (*p.a.value < *a->a.value) a = &p;
      if (*p.b.value < *b->b.value) b = &p;
    }
    list.push_back({a->a, b->b, *a->b.value});
  }
  return list;
}

void run_on_b(Transplant& t, const Records& records, Device& device) {
  const Case& what = t.a.what;
  const Graph graph = bench::make_graph(what);
  if (fingerprint(graph) != t.a.graph) throw Error("the network has changed since it was measured");
  const records::ScheduleLine* line = records.schedule(t.a.schedule);
  if (line == nullptr) throw Error("its records do not contain the schedule");
  device.require(what.gpus, what.precision);
  Schedule schedule = schedule_from_text(line->text);
  schedule.graph = graph.name();
  schedule.scheduler = what.scheduler;
  const std::unique_ptr<CostModel> costs = device.costs(graph, what.precision);
  const Measurement latency = time_schedule(device, *costs, schedule, what);
  t.ms = latency.median;
  t.provenance = latency.provenance;
}

ordered_json case_json(const Case& c) {
  return {{"software", c.software}, {"network", c.network}, {"precision", to_string(c.precision)},
          {"batch", c.batch},       {"image", c.image},     {"gpus", c.gpus}};
}

}  // namespace

Comparison compare_folders(const std::string& a, const std::string& b) {
  Comparison c{.folder_a = a, .folder_b = b, .a = load(a), .b = load(b)};
  const std::vector<const Record*> left = latencies(c.a, a), right = latencies(c.b, b);
  c.origin_a = origin(main_run(c.a, left));
  c.origin_b = origin(main_run(c.b, right));
  c.device_b = main_run(c.b, right).device;
  for (const Record* record : left) {
    const Record* other = c.b.find(record->what);
    if (other == nullptr || !other->value)
      ++c.only_a;
    else
      c.pairs.push_back({*record, *other, mark_of(c, *record, *other)});
  }
  c.only_b = static_cast<int>(right.size() - c.pairs.size());
  if (c.pairs.empty())
    throw Error("'" + a + "' and '" + b + "' have no network, scheduler, precision, batch and GPU count in common");
  c.best = best_of(c.pairs);
  return c;
}

void transplant(Comparison& comparison, Device& device, const Report& report) {
  for (const Best& best : comparison.best) {
    Transplant& t = comparison.transplants.emplace_back();
    t.a = best.a;
    t.b = best.b;
    if (report) report(t.a.what.name());
    try {
      run_on_b(t, comparison.a, device);
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {
      t.unavailable = e.what();
    }
  }
}

std::string to_json(const Comparison& c) {
  ordered_json latencies = ordered_json::array(), best = ordered_json::array(), moved = ordered_json::array();
  for (const Pair& p : c.pairs) {
    ordered_json line = case_json(p.a.what);
    line.update({{"scheduler", p.a.what.scheduler},
                 {"a_ms", *p.a.value},
                 {"b_ms", *p.b.value},
                 {"ratio", p.ratio()},
                 {"a_provenance", to_string(p.a.provenance)},
                 {"b_provenance", to_string(p.b.provenance)}});
    if (!p.mark.empty()) line["mark"] = p.mark;
    latencies.push_back(std::move(line));
  }
  for (const Best& b : c.best) {
    ordered_json line = case_json(b.a.what);
    line.update({{"a_scheduler", b.a.what.scheduler},
                 {"b_scheduler", b.b.what.scheduler},
                 {"a_ms", *b.a.value},
                 {"b_ms", *b.b.value},
                 {"a_scheduler_on_b_ms", b.a_choice_on_b_ms}});
    best.push_back(std::move(line));
  }
  for (const Transplant& t : c.transplants) {
    ordered_json line = case_json(t.a.what);
    line.update({{"a_scheduler", t.a.what.scheduler}, {"b_scheduler", t.b.what.scheduler}, {"b_ms", *t.b.value}});
    if (t.unavailable.empty())
      line.update({{"a_schedule_on_b_ms", t.ms}, {"provenance", to_string(t.provenance)}});
    else
      line["unavailable"] = t.unavailable;
    moved.push_back(std::move(line));
  }
  const ordered_json json = {{"a", {{"folder", c.folder_a}, {"origin", c.origin_a}, {"only_here", c.only_a}}},
                             {"b", {{"folder", c.folder_b}, {"origin", c.origin_b}, {"only_here", c.only_b}}},
                             {"latencies", std::move(latencies)},
                             {"best", std::move(best)},
                             {"schedules_of_a_on_b", std::move(moved)}};
  return json.dump(1) + "\n";
}

}  // namespace opsched::compare

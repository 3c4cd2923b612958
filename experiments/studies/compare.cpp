#include "experiments/studies/compare.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/device/folders.hpp"
#include "networks/network.hpp"

namespace opsched::compare {
namespace {

using bench::Case;
using bench::Result;
using nlohmann::ordered_json;

bench::Contents load(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) throw Error("'" + folder + "': there is no such folder");
  bench::Contents contents = bench::ResultsFile::load(folder);
  std::erase_if(contents.results, [](const Result& r) { return !r.skipped.empty(); });
  if (contents.results.empty())
    throw Error("'" + folder + "' holds no results: there is no bench.json with latencies in it (opsched bench --out " +
                folder + " measures them)");
  return contents;
}

/// What a scheduler chooses for.
auto question(const Case& c) { return std::tuple(c.network, c.precision, c.batch, c.image, c.gpus); }

std::vector<Best> best_of(const std::vector<Pair>& pairs) {
  std::vector<Best> list;
  std::vector<const Pair*> done;
  for (const Pair& first : pairs) {
    if (std::ranges::any_of(list, [&](const Best& b) { return question(b.a.what) == question(first.a.what); }))
      continue;
    const Pair *a = &first, *b = &first;
    for (const Pair& p : pairs) {
      if (question(p.a.what) != question(first.a.what)) continue;
      if (p.a.ms < a->a.ms) a = &p;
      if (p.b.ms < b->b.ms) b = &p;
    }
    list.push_back({a->a, b->b, a->b.ms});
  }
  return list;
}

/// Profiles of a folder, each read once.
class Profiles {
 public:
  explicit Profiles(std::string folder) : folder_(std::move(folder)) {}
  const Profile& of(Precision precision) {
    const auto found = profiles_.find(precision);
    if (found != profiles_.end()) return found->second;
    if (!has_profile(folder_, precision))
      throw Error("there is no " + profile_file(folder_, precision) + " to take the schedule from");
    return profiles_.emplace(precision, Profile::load(profile_file(folder_, precision))).first->second;
  }

 private:
  std::string folder_;
  std::map<Precision, Profile> profiles_;
};

void run_on_b(Transplant& t, Profiles& profiles, Device& device) {
  const Case& what = t.a.what;
  const Graph graph =
      make_network(what.network, {.batch = what.batch, .image = what.image, .seed = 1, .edge_lists = {}});
  if (fingerprint(graph) != t.a.graph) throw Error("the network has changed since it was measured");
  const ScheduleRecord* record = profiles.of(what.precision).find_schedule(t.a.graph, t.a.schedule);
  if (record == nullptr || record->schedule.empty()) throw Error("its profile does not hold the schedule");
  device.require(what.gpus, what.precision);
  Schedule schedule = schedule_from_text(record->schedule);
  schedule.graph = graph.name();
  schedule.scheduler = what.scheduler;
  const std::unique_ptr<CostModel> costs = device.costs(graph, what.precision);
  const Timing timing = device.time(*costs, schedule, what.precision, {}, what.name());
  t.ms = timing.latency.median;
  t.how = timing.how;
}

ordered_json case_json(const Case& c) {
  return {{"network", c.network},
          {"precision", to_string(c.precision)},
          {"batch", c.batch},
          {"image", c.image},
          {"gpus", c.gpus}};
}

}  // namespace

Comparison compare_folders(const std::string& a, const std::string& b) {
  const bench::Contents left = load(a), right = load(b);
  Comparison comparison{.folder_a = a, .folder_b = b, .origin_a = left.origin, .origin_b = right.origin};
  for (const Result& result : left.results) {
    const auto other = std::ranges::find(right.results, result.what, &Result::what);
    if (other == right.results.end())
      ++comparison.only_a;
    else
      comparison.pairs.push_back({result, *other});
  }
  comparison.only_b = static_cast<int>(right.results.size() - comparison.pairs.size());
  if (comparison.pairs.empty())
    throw Error("'" + a + "' and '" + b + "' have no network, scheduler, precision, batch and GPU count in common");
  comparison.best = best_of(comparison.pairs);
  return comparison;
}

void transplant(Comparison& comparison, Device& device, const Report& report) {
  Profiles profiles(comparison.folder_a);
  for (const Best& best : comparison.best) {
    Transplant& t = comparison.transplants.emplace_back();
    t.a = best.a;
    t.b = best.b;
    if (report) report(t.a.what.name());
    try {
      run_on_b(t, profiles, device);
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
                 {"a_ms", p.a.ms},
                 {"b_ms", p.b.ms},
                 {"ratio", p.ratio()},
                 {"a_how", p.a.how},
                 {"b_how", p.b.how}});
    latencies.push_back(std::move(line));
  }
  for (const Best& b : c.best) {
    ordered_json line = case_json(b.a.what);
    line.update({{"a_scheduler", b.a.what.scheduler},
                 {"b_scheduler", b.b.what.scheduler},
                 {"a_ms", b.a.ms},
                 {"b_ms", b.b.ms},
                 {"a_scheduler_on_b_ms", b.a_choice_on_b_ms}});
    best.push_back(std::move(line));
  }
  for (const Transplant& t : c.transplants) {
    ordered_json line = case_json(t.a.what);
    line.update({{"a_scheduler", t.a.what.scheduler}, {"b_scheduler", t.b.what.scheduler}, {"b_ms", t.b.ms}});
    if (t.unavailable.empty())
      line.update({{"a_schedule_on_b_ms", t.ms}, {"how", t.how}});
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

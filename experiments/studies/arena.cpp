#include "experiments/studies/arena.hpp"

#include <algorithm>
#include <memory>
#include <tuple>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched {
namespace {

using records::Case;
using records::Record;
using records::Records;

template <class List, class Value>
bool holds_or_empty(const List& list, const Value& value) {
  return list.empty() || std::ranges::find(list, value) != list.end();
}

bool is_arena_latency(const Record& r) {
  return r.quantity == "latency" && r.labels.empty() && r.missing.empty() && r.value && r.what.software == "opsched";
}

/// The error of a folder's numbers, from what the folder records about them.
class ArenaErrors {
 public:
  explicit ArenaErrors(const Records& records) {
    for (const Record* r : records.standing()) {
      if (r->quantity == "simulator_error" && r->labels.contains("group") && r->numbers.contains("p90") &&
          (r->labels.at("group") == "unseen" || r->labels.at("group") == "replayed")) {
        double& own = simulator_[{r->what.network, r->what.precision}];
        own = std::max(own, r->number("p90"));
        double& any = simulator_[{"", r->what.precision}];
        any = std::max(any, r->number("p90"));
      }
      if (r->quantity == "process_latency" && r->value && r->spread && *r->value > 0)
        processes_[r->what.name()] = (r->spread->max - r->spread->min) / *r->value;
    }
  }

  double of(const Case& what, bool predicted) const {
    if (!predicted) {
      const auto repeated = processes_.find(what.name());
      return repeated == processes_.end() ? kProcessError : std::max(kProcessError, repeated->second);
    }
    for (const std::string& network : {what.network, std::string()})
      if (const auto known = simulator_.find({network, what.precision}); known != simulator_.end())
        return known->second;
    return kUnknownError;
  }

 private:
  std::map<std::pair<std::string, Precision>, double> simulator_;  ///< an empty network name: the worst of all
  std::map<std::string, double> processes_;
};

/// One contest while it is put together.
class ContestBuilder {
 public:
  ContestBuilder(const Records& records, const ArenaErrors& errors, std::vector<const Record*> found)
      : records_(records), errors_(errors), found_(std::move(found)) {
    newest_ = *std::ranges::max_element(found_, {}, &Record::time);
  }

  ArenaContest build(const std::vector<bench::Timed>& replays) {
    for (const Record* r : found_) add_recorded(*r);
    for (const bench::Timed& replay : replays) add_replayed(replay);
    rank(contest_.entries);
    for (const ArenaEntry& e : contest_.entries)
      if (e.bound_ms > 0)
        contest_.bound_ms = contest_.bound_ms > 0 ? std::min(contest_.bound_ms, e.bound_ms) : e.bound_ms;
    return std::move(contest_);
  }

 private:
  void add_recorded(const Record& r) {
    if (!comparable(records_.run_of(r), records_.run_of(*newest_)))
      return refuse(r.what, "of kernels " + records_.run_of(r).kernels + ", others here are of " +
                                records_.run_of(*newest_).kernels);
    const records::ScheduleLine* kept = r.schedule.empty() ? nullptr : records_.schedule(r.schedule);
    if (kept == nullptr) return refuse(r.what, "its schedule is not stored, so it cannot be validated");
    judge(r, [&] { return schedule_from_text(kept->text); });
  }

  /// Replaces the record of the same scheduler.
  void add_replayed(const bench::Timed& replay) {
    Record record = replay.record;
    std::erase_if(contest_.entries, [&](const ArenaEntry& e) { return e.what == record.what; });
    std::erase_if(contest_.refused, [&](const ArenaRefusal& one) { return one.what == record.what; });
    if (!record.missing.empty()) return refuse(record.what, record.missing);
    if (const Record* measured = measured_of(record)) {
      record.value = measured->value;
      record.provenance = measured->provenance;
    }
    judge(record, [&] { return replay.schedule; });
  }

  /// The measurement of the same schedule, by any scheduler.
  const Record* measured_of(const Record& record) const {
    for (const Record* r : found_)
      if (r->schedule == record.schedule && r->graph == record.graph && r->provenance == Provenance::measured &&
          comparable(records_.run_of(*r), records_.run_of(*newest_)))
        return r;
    return nullptr;
  }

  template <class GetSchedule>
  void judge(const Record& r, const GetSchedule& schedule) {
    try {
      if (!graph_) graph_ = std::make_unique<Graph>(bench::make_graph(r.what));
      if (fingerprint(*graph_) != r.graph) throw Error("its graph differs from the one that this program builds");
      validate(*graph_, schedule());
    } catch (const Error& e) {
      return refuse(r.what, e.what());
    }
    ArenaEntry entry{.what = r.what, .schedule = r.schedule, .ms = *r.value, .provenance = r.provenance};
    entry.error = errors_.of(r.what, entry.predicted());
    entry.bound_ms = r.number_or("bound_ms", 0);
    if (r.numbers.contains("search_seconds")) entry.search_seconds = r.number("search_seconds");
    contest_.entries.push_back(std::move(entry));
  }

  void refuse(const Case& what, const std::string& why) { contest_.refused.push_back({what, why}); }

  const Records& records_;
  const ArenaErrors& errors_;
  std::vector<const Record*> found_;
  const Record* newest_;
  std::unique_ptr<Graph> graph_;
  ArenaContest contest_;
};

}  // namespace

bool ArenaFilter::accepts(const Case& what) const {
  return holds_or_empty(networks, what.network) && holds_or_empty(precisions, to_string(what.precision)) &&
         holds_or_empty(batches, what.batch) && holds_or_empty(gpus, what.gpus);
}

void rank(std::vector<ArenaEntry>& entries) {
  std::ranges::stable_sort(entries, {}, &ArenaEntry::ms);
  const auto surely_faster = [](const ArenaEntry& a, const ArenaEntry& b) {
    return a.schedule != b.schedule && b.ms / a.ms - 1 > std::max(a.error, b.error);
  };
  for (ArenaEntry& e : entries)
    e.rank = 1 + static_cast<int>(
                     std::ranges::count_if(entries, [&](const ArenaEntry& other) { return surely_faster(other, e); }));
}

std::vector<ArenaContest> arena(const Records& records, const ArenaFilter& filter,
                                const std::vector<ArenaChallenger>& challengers, const ArenaReplay& replay) {
  const ArenaErrors errors(records);
  std::vector<const Record*> found = records.standing();
  std::erase_if(found, [&](const Record* r) { return !is_arena_latency(*r) || !filter.accepts(r->what); });
  std::ranges::stable_sort(found, {}, [](const Record* r) { return r->what.neighbourhood(); });

  std::vector<std::vector<const Record*>> groups;
  for (const Record* r : found) {
    if (groups.empty() || groups.back().front()->what.neighbourhood() != r->what.neighbourhood()) groups.emplace_back();
    groups.back().push_back(r);
  }
  std::vector<Case> cases;
  for (const auto& group : groups)
    for (const ArenaChallenger& challenger : challengers) {
      Case what = group.front()->what;
      what.scheduler = challenger.name;
      what.options = challenger.options;
      cases.push_back(std::move(what));
    }
  const std::vector<bench::Timed> replays = cases.empty() ? std::vector<bench::Timed>() : replay(cases);
  std::vector<ArenaContest> contests;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto first = replays.begin() + static_cast<std::ptrdiff_t>(i * challengers.size());
    contests.push_back(ContestBuilder(records, errors, groups[i])
                           .build({first, first + static_cast<std::ptrdiff_t>(challengers.size())}));
  }
  return contests;
}

}  // namespace opsched

#include "experiments/studies/accuracy.hpp"

#include <algorithm>
#include <map>

#include "networks/network.hpp"

namespace opsched {
namespace {

records::Record error_record(const ProfileAccuracy& profile, const std::string& network, const std::string& group,
                             const ErrorStats& stats, const OrderedPairs& pairs = {}) {
  records::Record record{.what = {.network = network, .scheduler = "", .precision = profile.precision},
                         .quantity = "simulator_error",
                         .labels = {{"group", group}},
                         .provenance = Provenance::simulated};
  if (stats.count == 0) {
    record.missing = "nothing of this kind was measured";
    return record;
  }
  record.value = stats.median;
  record.numbers = {{"count", stats.count}, {"p90", stats.p90}, {"bias", stats.bias}, {"rank", stats.rank}};
  if (pairs.all > 0) record.numbers.insert({{"pairs", pairs.all}, {"pairs_right", pairs.right}});
  return record;
}

records::Case case_of(const ScheduleOrigin& origin, Precision precision) {
  const auto known = std::ranges::find(networks(), origin.network, &NetworkInfo::name);
  const bool usual = known != networks().end() && known->image == origin.image;
  return {.network = origin.network,
          .scheduler = origin.scheduler,
          .batch = origin.batch,
          .image = usual ? 0 : origin.image,
          .precision = precision,
          .gpus = origin.gpus,
          .options = origin.options};
}

}  // namespace

std::vector<records::Record> accuracy_records(const ProfileAccuracy& profile) {
  const FitReport& fit = profile.accuracy.fit;
  std::vector<records::Record> list = {
      error_record(profile, "", "concurrent_seen", fit.fitted), error_record(profile, "", "concurrent", fit.concurrent),
      error_record(profile, "", "merge", fit.merge), error_record(profile, "", "operators", fit.solo)};
  for (const NetworkAccuracy& n : profile.accuracy.networks) {
    list.push_back(error_record(profile, n.network, "stages", n.stages));
    list.push_back(error_record(profile, n.network, "replayed", n.replayed, n.replayed_pairs));
    list.push_back(error_record(profile, n.network, "unseen", n.unseen, n.unseen_pairs));
  }
  std::map<std::string, int> times;
  for (const HeldOutSchedule& s : profile.accuracy.schedules) {
    records::Record record{
        .what = case_of(s.origin, profile.precision),
        .quantity = "simulator_error",
        .labels = {{"group", "held_out"}},
        .value = s.replayed / s.measured - 1,
        .numbers = {{"measured_ms", s.measured}, {"replayed_ms", s.replayed}, {"unseen_ms", s.unseen}},
        .texts = {{"mode", to_string(s.mode)}},
        .provenance = Provenance::simulated};
    if (const int again = ++times[record.key()]; again > 1) record.labels["again"] = std::to_string(again);
    list.push_back(std::move(record));
  }
  list.push_back({.what = {.precision = profile.precision},
                  .quantity = "simulator_law",
                  .numbers = {{"softness", fit.law.exponent},
                              {"crowding", fit.law.interference},
                              {"fork_ms", fit.law.fork_ms},
                              {"chain_ms", fit.law.chain_ms},
                              {"stages", profile.stages},
                              {"schedules", profile.schedules}},
                  .provenance = Provenance::simulated});
  return list;
}

}  // namespace opsched

#include "experiments/studies/accuracy_json.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace opsched {
namespace {

using Json = nlohmann::ordered_json;

/// To 5 digits, as the profile holds latencies.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", value);
  return std::stod(text);
}

Json stats(const ErrorStats& s) {
  return {{"count", s.count},
          {"median", rounded(s.median)},
          {"p90", rounded(s.p90)},
          {"bias", rounded(s.bias)},
          {"rank", rounded(s.rank)}};
}

Json schedule_stats(const ErrorStats& s, const OrderedPairs& pairs) {
  Json json = stats(s);
  json["pairs"] = pairs.all;
  json["pairs_right"] = pairs.right;
  return json;
}

Json sharing(const Sharing& s) {
  return {{"softness", rounded(s.softness)},
          {"crowding", rounded(s.crowding)},
          {"fork_ms", rounded(s.fork_ms)},
          {"chain_ms", rounded(s.chain_ms)}};
}

}  // namespace

std::string accuracy_to_json(const std::vector<ProfileAccuracy>& profiles, const std::string& command) {
  Json list = Json::array();
  for (const ProfileAccuracy& p : profiles) {
    const FitReport& fit = p.accuracy.fit;
    Json networks = Json::array(), schedules = Json::array();
    for (const NetworkAccuracy& n : p.accuracy.networks)
      networks.push_back({{"network", n.network},
                          {"stages", stats(n.stages)},
                          {"replayed", schedule_stats(n.replayed, n.replayed_pairs)},
                          {"unseen", schedule_stats(n.unseen, n.unseen_pairs)}});
    for (const HeldOutSchedule& s : p.accuracy.schedules)
      schedules.push_back({{"label", s.label},
                           {"mode", to_string(s.mode)},
                           {"measured_ms", rounded(s.measured)},
                           {"replayed_ms", rounded(s.replayed)},
                           {"unseen_ms", rounded(s.unseen)}});
    list.push_back({{"profile", p.file},
                    {"precision", to_string(p.precision)},
                    {"stages", p.stages},
                    {"schedules", p.schedules},
                    {"law", sharing(fit.sharing)},
                    {"concurrent_seen", stats(fit.fitted)},
                    {"concurrent", stats(fit.concurrent)},
                    {"merge", stats(fit.merge)},
                    {"operators", stats(fit.solo)},
                    {"networks", std::move(networks)},
                    {"held_out", std::move(schedules)}});
  }
  const Json json = {{"device", profiles.empty() ? "" : profiles.front().device.name},
                     {"command", command},
                     {"profiles", std::move(list)}};
  return json.dump(1) + "\n";
}

}  // namespace opsched

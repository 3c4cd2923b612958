#include "core/cost/profile/profile.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <utility>

#include "core/cost/profile/journal.hpp"
#include "core/cost/profile/profile_text.hpp"
#include "core/cost/signature/stage_kind.hpp"
#include "core/names.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

/// DeviceFacts::kernels, for people.
std::string described(const std::string& kernels) { return kernels.empty() ? "of a version not named" : kernels; }

double rounded(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return std::strtod(text, nullptr);
}

ProfileEntry checked(const std::string& key, const ProfileEntry& record) {
  if (!std::isfinite(record.ms) || record.ms <= 0)
    throw Error("a latency must be above 0 ms, not " + std::to_string(record.ms) + ", of '" + key + "'");
  if (!std::isfinite(record.mad_ratio) || record.mad_ratio < 0 || record.runs < 0)
    throw Error("mad_ratio and runs of a latency cannot be negative, of '" + key + "'");
  return {rounded(record.ms, 5), rounded(record.mad_ratio, 2), record.runs};
}

bool better(const ProfileEntry& a, const ProfileEntry& b) {
  return std::tuple(a.mad_ratio, -a.runs, a.ms) < std::tuple(b.mad_ratio, -b.runs, b.ms);
}

/// Versions apart by ", ", each once, sorted.
std::string join_versions(const std::string& a, const std::string& b) {
  std::set<std::string> all;
  for (const std::string* list : {&a, &b}) {
    std::istringstream in(*list);
    for (std::string version; std::getline(in >> std::ws, version, ',');) all.insert(version);
  }
  return joined(all);
}

int lower_clock(int a, int b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

template <class Map, class Key, class Value>
bool improve(Map& map, const Key& key, const Value& value, bool (*is_better)(const Value&, const Value&)) {
  const auto [it, fresh] = map.try_emplace(key, value);
  if (fresh) return true;
  if (!is_better(value, it->second)) return false;
  it->second = value;
  return true;
}

}  // namespace

Profile::Profile(DeviceFacts device, Precision precision) : device_(std::move(device)), precision_(precision) {}
Profile::Profile(Profile&&) noexcept = default;
Profile& Profile::operator=(Profile&&) noexcept = default;
Profile::~Profile() = default;

void Profile::require_device(const std::string& name) const {
  if (name != device_.name)
    throw Error("the profile is of '" + device_.name + "', not of '" + name +
                "'; name another profile, or measure this device into a new one");
}

void Profile::require_precision(Precision precision) const {
  if (precision != precision_)
    throw Error("the profile holds " + to_string(precision_) + ", not " + to_string(precision) +
                "; each precision has a file of its own");
}

void Profile::add_facts(const DeviceFacts& other) {
  require_device(other.name);
  if (other.kernels != device_.kernels && !(stages_.empty() && schedules_.empty()))
    throw Error("it was measured with other kernels (" + described(device_.kernels) + ") than those in use (" +
                described(other.kernels) +
                "); after 'opsched tune' or a change of kernels, measure into another folder (--profile, --out), or "
                "delete it to measure it anew");
  DeviceFacts sum = device_;
  sum.kernels = other.kernels;
  sum.compute_capability = std::max(device_.compute_capability, other.compute_capability);
  sum.multiprocessors = std::max(device_.multiprocessors, other.multiprocessors);
  sum.memory_bytes = std::max(device_.memory_bytes, other.memory_bytes);
  sum.l2_bytes = std::max(device_.l2_bytes, other.l2_bytes);
  sum.driver = join_versions(device_.driver, other.driver);
  sum.cuda = join_versions(device_.cuda, other.cuda);
  sum.cudnn = join_versions(device_.cudnn, other.cudnn);
  sum.sm_clock_min_mhz = lower_clock(device_.sm_clock_min_mhz, other.sm_clock_min_mhz);
  sum.sm_clock_max_mhz = std::max(device_.sm_clock_max_mhz, other.sm_clock_max_mhz);
  sum.memory_clock_min_mhz = lower_clock(device_.memory_clock_min_mhz, other.memory_clock_min_mhz);
  sum.memory_clock_max_mhz = std::max(device_.memory_clock_max_mhz, other.memory_clock_max_mhz);
  if (sum == device_) return;
  device_ = sum;
  log(profile_text::facts_line(device_));
}

const ProfileEntry* Profile::find_stage(const std::string& key) const {
  const auto it = stages_.find(key);
  return it == stages_.end() ? nullptr : &it->second;
}

void Profile::record_stage(const std::string& key, const ProfileEntry& record) {
  const ProfileEntry value = checked(key, record);
  if (!improve(stages_, key, value, better)) return;
  kinds_.insert(kind_of_key(key));
  log(profile_text::stage_line(key, value));
}

void Profile::record_transfer(int from, int to, std::int64_t bytes, const ProfileEntry& record) {
  const std::string name = "transfer of " + std::to_string(bytes) + " bytes";
  if (from < 0 || to < 0 || from == to || bytes < 0) throw Error("not a " + name + " between two devices");
  const std::tuple key(from, to, bytes);
  const ProfileEntry value = checked(name, record);
  if (improve(transfers_, key, value, better)) log(profile_text::transfer_line(key, value));
}

bool Profile::link_measured(int from, int to) const {
  const auto pair = transfers_.lower_bound({from, to, 0});
  return pair != transfers_.end() && std::get<0>(pair->first) == from && std::get<1>(pair->first) == to;
}

bool Profile::uniform_links() const {
  if (transfers_.empty()) return true;
  const auto& [from, to, bytes] = transfers_.begin()->first;
  const auto& [last_from, last_to, last_bytes] = transfers_.rbegin()->first;
  return from == last_from && to == last_to;
}

double Profile::transfer_ms(int from, int to, std::int64_t bytes) const {
  if (transfers_.empty())
    throw Error("the profile of '" + device_.name + "' has no transfers: measure it on a host with several GPUs");
  // The pair's points are neighbours in the map: (from, to, 0) up to (from, to, most).
  const auto along = [&](int a, int b) {
    const auto first = transfers_.lower_bound({a, b, 0});
    const auto last = transfers_.lower_bound({a, b + 1, 0});
    auto high = transfers_.lower_bound({a, b, bytes});
    if (high == first) return first->second.ms;
    if (high == last && std::prev(high) != first) --high;
    auto low = std::prev(high);
    if (high == last) return low->second.ms * std::max(1.0, double(bytes) / double(std::get<2>(low->first)));
    const double x0 = double(std::get<2>(low->first)), x1 = double(std::get<2>(high->first));
    const double slope = std::max(0.0, (high->second.ms - low->second.ms) / (x1 - x0));
    return bytes > x1 ? high->second.ms + slope * (bytes - x1)
                      : low->second.ms + (high->second.ms - low->second.ms) * (bytes - x0) / (x1 - x0);
  };
  if (link_measured(from, to)) return along(from, to);
  std::vector<double> others;
  for (auto it = transfers_.begin(); it != transfers_.end();) {
    const auto [a, b, size] = it->first;
    others.push_back(along(a, b));
    it = transfers_.lower_bound({a, b + 1, 0});
  }
  return quantile(std::move(others), 0.5);
}

const ScheduleRecord* Profile::find_schedule(const std::string& graph, const std::string& schedule) const {
  const auto it = schedules_.find({graph, schedule});
  return it == schedules_.end() ? nullptr : &it->second;
}

void Profile::record_schedule(const std::string& graph, const std::string& schedule, const ScheduleRecord& record) {
  const std::pair key(graph, schedule);
  const std::string name = "schedule of '" + record.origin.scheduler + "' for '" + record.origin.network + "'";
  const ScheduleRecord value{checked(name, record.record), record.origin, record.schedule};
  const auto less = [](const ScheduleRecord& a, const ScheduleRecord& b) {
    if (better(a.record, b.record)) return true;
    return a.record == b.record && std::tie(b.schedule, a.origin) < std::tie(a.schedule, b.origin);
  };
  if (improve<decltype(schedules_), decltype(key), ScheduleRecord>(schedules_, key, value, less))
    log(profile_text::schedule_line(key, value));
}

void Profile::set_calibration(const std::string& name, double value) {
  if (!std::isfinite(value)) throw Error("calibration '" + name + "' is not a number");
  const double number = rounded(value, 6);
  const auto [it, fresh] = calibration_.try_emplace(name, number);
  if (!fresh && it->second == number) return;
  it->second = number;
  log(profile_text::calibration_line(name, number));
}

void Profile::merge(const Profile& other) {
  require_precision(other.precision_);
  add_facts(other.device_);
  for (const auto& [key, record] : other.stages_) record_stage(key, record);
  for (const auto& [key, record] : other.transfers_)
    record_transfer(std::get<0>(key), std::get<1>(key), std::get<2>(key), record);
  for (const auto& [key, record] : other.schedules_) record_schedule(key.first, key.second, record);
  for (const auto& [name, value] : other.calibration_) set_calibration(name, value);
}

}  // namespace opsched

#include "core/cost/profile/profile.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "core/cost/profile/journal.hpp"
#include "core/cost/profile/profile_text.hpp"
#include "core/cost/signature/stage_kind.hpp"
#include "core/hash.hpp"
#include "core/names.hpp"
#include "core/statistics.hpp"

namespace opsched {
namespace {

/// DeviceFacts::kernels in readable form.
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

/// The union of two comma-separated lists of versions, sorted.
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
                "delete this one to measure again");
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
  log([&] { return profile_text::facts_line(device_); });
}

const ProfileEntry* Profile::find_stage(const std::string& key) const {
  const auto it = stages_.find(key);
  return it == stages_.end() ? nullptr : &it->second;
}

void Profile::record_stage(const std::string& key, const ProfileEntry& record) {
  const ProfileEntry value = checked(key, record);
  if (!improve(stages_, key, value, better)) return;
  kinds_.insert(kind_of_key(key));
  log([&] { return profile_text::stage_line(key, value); });
}

void Profile::record_transfer(int from, int to, std::int64_t bytes, const ProfileEntry& record, LinkKind kind) {
  const std::string name = "transfer of " + std::to_string(bytes) + " bytes";
  if (from < 0 || to < 0 || from == to || bytes < 0) throw Error("not a " + name + " between two devices");
  const std::tuple key(from, to, bytes);
  const ProfileEntry value = checked(name, record);
  if (improve(transfers_[kind], key, value, better)) log([&] { return profile_text::transfer_line(kind, key, value); });
}

const Transfers& Profile::transfers(LinkKind kind) const {
  static const Transfers none;
  const auto it = transfers_.find(kind);
  return it == transfers_.end() ? none : it->second;
}

double Profile::transfer_ms(int from, int to, std::int64_t bytes) const {
  const LinkKind kind = topology_.kind(from, to);
  if (const LinkCost* stated = topology_.stated(kind)) return stated->ms(static_cast<double>(bytes));
  if (const std::optional<double> ms = transfer_latency(transfers(kind), from, to, bytes)) return *ms;
  if (kind == LinkKind::local)
    throw Error("the profile of '" + device_.name + "' has no transfers: measure it on a host with several GPUs");
  throw Error("the profile of '" + device_.name + "' has no transfers over links of kind '" + to_string(kind) +
              "', which join devices " + std::to_string(from) + " and " + std::to_string(to) +
              ": measure them, or state their cost");
}

std::int64_t Profile::link_class(int from, int to) const {
  const LinkKind kind = topology_.kind(from, to);
  const bool own = topology_.stated(kind) == nullptr && holds_pair(transfers(kind), from, to);
  const std::int64_t pair = own ? 1 + (static_cast<std::int64_t>(from) << 16 | to) : 0;
  return pair * static_cast<std::int64_t>(kLinkKinds.size()) + static_cast<std::int64_t>(kind);
}

void Profile::set_topology(const Topology& topology) {
  if (topology == topology_) return;
  const auto several = std::ranges::find_if(schedules_, [](const auto& entry) { return entry.second.origin.gpus > 1; });
  if (several != schedules_.end())
    throw Error("schedules of several devices were measured on other links (" + several->second.origin.network +
                "); measure into another folder (--profile, --out)");
  topology_ = topology;
  log([&] { return profile_text::topology_line(topology_); });
}

void Profile::assume(const Topology& topology) {
  const Topology before = std::exchange(topology_, topology);
  if (before == topology) return;
  std::erase_if(schedules_, [&](const auto& entry) {
    const int devices = entry.second.origin.gpus;
    return !(before.all_local(devices) && topology.all_local(devices) && !topology.stated(LinkKind::local));
  });
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
    log([&] { return profile_text::schedule_line(key, value); });
}

void Profile::set_calibration(const std::string& name, double value) {
  if (!std::isfinite(value)) throw Error("calibration '" + name + "' is not a number");
  const double number = rounded(value, 6);
  const auto [it, fresh] = calibration_.try_emplace(name, number);
  if (!fresh && it->second == number) return;
  it->second = number;
  log([&] { return profile_text::calibration_line(name, number); });
}

void Profile::merge(const Profile& other) {
  require_precision(other.precision_);
  add_facts(other.device_);
  for (const auto& [key, record] : other.stages_) record_stage(key, record);
  if (topology_ != other.topology_)
    throw Error("the profiles of '" + device_.name + "' were measured on devices that are connected in different ways");
  for (const auto& [kind, transfers] : other.transfers_)
    for (const auto& [key, record] : transfers)
      record_transfer(std::get<0>(key), std::get<1>(key), std::get<2>(key), record, kind);
  for (const auto& [key, record] : other.schedules_) record_schedule(key.first, key.second, record);
  for (const auto& [name, value] : other.calibration_) set_calibration(name, value);
}

std::string links_key(const Profile& profile) {
  const Topology& topology = profile.topology();
  if (topology == Topology()) return {};
  std::ostringstream times;
  times.precision(17);
  for (LinkKind kind : {LinkKind::nccl, LinkKind::network})
    for (const auto& [link, entry] : profile.transfers(kind)) {
      const auto& [from, to, bytes] = link;
      times << to_string(kind) << ' ' << from << ' ' << to << ' ' << bytes << ' ' << entry.ms << '\n';
    }
  return std::to_string(topology.process_devices()) + " devices per process, " +
         std::to_string(topology.host_devices()) + " per host, links " + hex_digits(fnv1a(times.str()));
}

}  // namespace opsched

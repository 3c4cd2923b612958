// The profile on disk: {"format", "version", "precision", "device", "operators", "stages", ...}.
//
// A stage is [key, ms, mad_ratio, runs], and its key refers to operators by their index in "operators".
// One entry per line, sorted, so that versions of a file can be compared.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/cost/profile/journal.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/cost/profile/profile_text.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/nesting.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

using nlohmann::json;

constexpr int kVersion = 2;  // the only version that is read; in version 1 a schedule's origin was a text
constexpr const char* kFormat = "opsched-profile";
constexpr const char* kJournalFormat = "opsched-profile-journal";

std::string journal_path(const std::string& path) { return path + ".journal"; }

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string in_quotes(const std::string& text) { return json(text).dump(); }

std::string triple(const ProfileEntry& r) {
  return number(r.ms) + "," + number(r.mad_ratio) + "," + std::to_string(r.runs);
}

std::string facts_text(const DeviceFacts& d) {
  nlohmann::ordered_json facts{{"name", d.name},
                               {"compute_capability", d.compute_capability},
                               {"multiprocessors", d.multiprocessors},
                               {"memory_bytes", d.memory_bytes},
                               {"l2_bytes", d.l2_bytes},
                               {"driver", d.driver},
                               {"cuda", d.cuda},
                               {"cudnn", d.cudnn},
                               {"sm_clock_mhz", {d.sm_clock_min_mhz, d.sm_clock_max_mhz}},
                               {"memory_clock_mhz", {d.memory_clock_min_mhz, d.memory_clock_max_mhz}}};
  if (!d.kernels.empty()) facts["kernels"] = d.kernels;
  return facts.dump();
}

/// Checks the range, because a plain conversion to a smaller type would truncate.
template <class Int>
Int integer(const json& j) {
  const bool whole = j.is_number_unsigned() ? std::in_range<Int>(j.get<std::uint64_t>())
                                            : j.is_number_integer() && std::in_range<Int>(j.get<std::int64_t>());
  if (!whole) throw Error("'" + printable(j.dump(-1, ' ', true), 60) + "' is not an integer, or is too large");
  return j.get<Int>();
}

DeviceFacts read_facts(const json& j) {
  DeviceFacts d;
  d.name = j.at("name");
  d.compute_capability = integer<int>(j.at("compute_capability"));
  d.multiprocessors = integer<int>(j.at("multiprocessors"));
  d.memory_bytes = integer<std::int64_t>(j.at("memory_bytes"));
  d.l2_bytes = integer<std::int64_t>(j.at("l2_bytes"));
  d.driver = j.at("driver");
  d.cuda = j.at("cuda");
  d.cudnn = j.at("cudnn");
  d.kernels = j.value("kernels", "");
  d.sm_clock_min_mhz = integer<int>(j.at("sm_clock_mhz").at(0));
  d.sm_clock_max_mhz = integer<int>(j.at("sm_clock_mhz").at(1));
  d.memory_clock_min_mhz = integer<int>(j.at("memory_clock_mhz").at(0));
  d.memory_clock_max_mhz = integer<int>(j.at("memory_clock_mhz").at(1));
  return d;
}

ProfileEntry read_record(const json& j, std::size_t first) {
  return {j.at(first).get<double>(), j.at(first + 1).get<double>(), integer<int>(j.at(first + 2))};
}

/// [from, to, bytes, ms, mad_ratio, runs], followed by the link kind if it is not local.
std::string transfer_text(LinkKind kind, const std::tuple<int, int, std::int64_t>& key, const ProfileEntry& r) {
  const auto [from, to, bytes] = key;
  return "[" + std::to_string(from) + "," + std::to_string(to) + "," + std::to_string(bytes) + "," + triple(r) +
         (kind == LinkKind::local ? "" : "," + in_quotes(to_string(kind))) + "]";
}

void read_transfer(Profile& profile, const json& j) {
  profile.record_transfer(integer<int>(j.at(0)), integer<int>(j.at(1)), integer<std::int64_t>(j.at(2)),
                          read_record(j, 3), j.size() > 6 ? parse_link_kind(j.at(6)) : LinkKind::local);
}

std::string topology_text(const Topology& topology) {
  json links = json::object();
  for (const auto& [kind, cost] : topology.links())
    links[to_string(kind)] = {{"latency_ms", cost.latency_ms}, {"bytes_per_ms", cost.bytes_per_ms}};
  return json{{"host_devices", topology.host_devices()},
              {"process_devices", topology.process_devices()},
              {"links", std::move(links)}}
      .dump();
}

Topology read_topology(const json& j) {
  Topology topology(integer<int>(j.at("host_devices")), integer<int>(j.at("process_devices")));
  for (const auto& [kind, cost] : j.at("links").items())
    topology.state(parse_link_kind(kind), {cost.at("latency_ms"), cost.at("bytes_per_ms")});
  return topology;
}

std::string origin_text(const ScheduleOrigin& o) {
  nlohmann::ordered_json origin{{"network", o.network}, {"scheduler", o.scheduler}};
  if (!o.options.empty()) origin["options"] = o.options;
  origin.update({{"batch", o.batch}, {"image", o.image}, {"gpus", o.gpus}});
  return origin.dump();
}

ScheduleOrigin read_origin(const json& j) {
  return {.network = j.at("network"),
          .scheduler = j.at("scheduler"),
          .options = j.value("options", std::map<std::string, std::string>{}),
          .batch = integer<int>(j.at("batch")),
          .image = j.at("image").get<ImageSize>(),
          .gpus = integer<int>(j.at("gpus"))};
}

/// [graph, schedule, ms, mad_ratio, runs, origin, text]
std::string schedule_text(const std::pair<std::string, std::string>& key, const ScheduleRecord& r) {
  return "[" + in_quotes(key.first) + "," + in_quotes(key.second) + "," + triple(r.record) + "," +
         origin_text(r.origin) + "," + in_quotes(r.schedule) + "]";
}

ScheduleRecord read_schedule(const json& j) { return {read_record(j, 2), read_origin(j.at(5)), j.at(6)}; }

/// Throws Error unless this is the header of such a file, in our version.
void check_header(const json& j, const char* format) {
  if (!j.is_object() || j.value("format", "") != format) throw Error("it is no " + std::string(format) + " file");
  const int version = integer<int>(j.at("version"));
  if (version != kVersion)
    throw Error("it has format version " + std::to_string(version) + ", but this program reads " +
                std::to_string(kVersion) + "; measure again, or use the program that wrote it");
}

/// Replaces each operator signature of a stage key by what `visit` returns for it.
template <class Visit>
std::string map_operators(const std::string& key, Visit visit) {
  std::string out;
  std::string_view rest = key;
  for (bool first = true;; first = false) {  // the first word is the batch
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (!first) out += ' ';
    if (first || word == "|" || word == "merge") {
      out += word;
    } else {
      const std::string_view op = word.substr(0, word.find('@'));
      out.append(visit(std::string(op))).append(word.substr(op.size()));
    }
    if (word.size() == rest.size()) return out;
    rest.remove_prefix(word.size() + 1);
  }
}

template <class Items, class Line>
void add_list(std::string& text, const char* name, const Items& items, Line line) {
  text += ",\n\"" + std::string(name) + "\":[";
  const char* separator = "\n";
  for (const auto& item : items) {
    text += separator + line(item);
    separator = ",\n";
  }
  text += "]";
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

namespace profile_text {

std::string header_line(const DeviceFacts& device, Precision precision) {
  return "{\"format\":" + in_quotes(kJournalFormat) + ",\"version\":" + std::to_string(kVersion) +
         ",\"precision\":" + in_quotes(to_string(precision)) + ",\"device\":" + facts_text(device) + "}";
}
std::string facts_line(const DeviceFacts& device) { return "{\"device\":" + facts_text(device) + "}"; }
std::string stage_line(const std::string& key, const ProfileEntry& r) {
  return "{\"stage\":[" + in_quotes(key) + "," + triple(r) + "]}";
}
std::string transfer_line(LinkKind kind, const std::tuple<int, int, std::int64_t>& key, const ProfileEntry& r) {
  return "{\"transfer\":" + transfer_text(kind, key, r) + "}";
}
std::string topology_line(const Topology& topology) { return "{\"topology\":" + topology_text(topology) + "}"; }
std::string schedule_line(const std::pair<std::string, std::string>& key, const ScheduleRecord& r) {
  return "{\"schedule\":" + schedule_text(key, r) + "}";
}
std::string calibration_line(const std::string& name, double value) {
  return "{\"calibration\":[" + in_quotes(name) + "," + number(value) + "]}";
}

}  // namespace profile_text

void Profile::save(const std::string& path) {
  std::vector<std::pair<std::string, ProfileEntry>> stages(stages_.begin(), stages_.end());
  std::ranges::sort(stages, {}, &std::pair<std::string, ProfileEntry>::first);
  std::map<std::string, int> operators;
  for (const auto& [key, record] : stages)
    map_operators(key, [&](const std::string& op) {
      operators.emplace(op, 0);
      return op;
    });
  int index = 0;
  for (auto& [op, place] : operators) place = index++;

  std::string text = "{\"format\":" + in_quotes(kFormat) + ",\n\"version\":" + std::to_string(kVersion) +
                     ",\n\"precision\":" + in_quotes(to_string(precision_)) + ",\n\"device\":" + facts_text(device_);
  add_list(text, "operators", operators, [](const auto& item) { return in_quotes(item.first); });
  add_list(text, "stages", stages, [&](const auto& item) {
    const std::string key =
        map_operators(item.first, [&](const std::string& op) { return std::to_string(operators.at(op)); });
    return std::string("[") + in_quotes(key) + "," + triple(item.second) + "]";
  });
  if (topology_ != Topology()) text += ",\n\"topology\":" + topology_text(topology_);
  std::vector<std::string> transfers;
  for (const auto& [kind, table] : transfers_)
    for (const auto& [key, record] : table) transfers.push_back(transfer_text(kind, key, record));
  add_list(text, "transfers", transfers, [](const std::string& item) { return item; });
  add_list(text, "schedules", schedules_, [](const auto& item) { return schedule_text(item.first, item.second); });
  add_list(text, "calibration", calibration_,
           [](const auto& item) { return std::string("[") + in_quotes(item.first) + "," + number(item.second) + "]"; });
  write_file_atomically(path, text + "}\n");
  if (journal_ && journal_->path() == journal_path(path)) journal_->clear();
}

void Profile::read_file_text(const std::string& path, const std::string& text) {
  try {
    check_nesting(text);
    const json j = json::parse(text);
    check_header(j, kFormat);
    precision_ = parse_precision(j.at("precision"));
    device_ = read_facts(j.at("device"));
    const auto operators = j.at("operators").get<std::vector<std::string>>();
    const json& stages = j.at("stages");
    stages_.reserve(stages.size());
    for (const json& stage : stages) {
      const std::string key = map_operators(stage.at(0).get_ref<const std::string&>(), [&](const std::string& place) {
        std::size_t used = 0;
        const unsigned long i = std::stoul(place, &used);
        if (used != place.size()) throw Error("an operator of a stage is not a number: '" + place + "'");
        return operators.at(i);
      });
      record_stage(key, read_record(stage, 1));
    }
    if (j.contains("topology")) set_topology(read_topology(j.at("topology")));
    for (const json& t : j.at("transfers")) read_transfer(*this, t);
    for (const json& s : j.at("schedules")) record_schedule(s.at(0), s.at(1), read_schedule(s));
    for (const json& c : j.at("calibration")) set_calibration(c.at(0), c.at(1));
  } catch (const std::exception& e) {
    throw Error("profile '" + path + "' cannot be read: " + e.what());
  }
}

void Profile::read_journal(const std::string& path, const std::string& text) {
  const bool alone = device_.name.empty();
  std::size_t at = 0;
  for (int line = 1; at < text.size(); ++line) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) return;  // left by a killed process
    try {
      check_nesting(std::string_view(text).substr(at, end - at));
      const json j = json::parse(text.data() + at, text.data() + end);
      if (line == 1) {
        check_header(j, kJournalFormat);
        const Precision precision = parse_precision(j.at("precision"));
        const DeviceFacts facts = read_facts(j.at("device"));
        if (alone) {
          precision_ = precision;
          device_ = facts;
        }
        require_precision(precision);
        add_facts(facts);
      } else if (const json& item = j.items().begin().value(); j.contains("stage")) {
        record_stage(item.at(0), read_record(item, 1));
      } else if (j.contains("transfer")) {
        read_transfer(*this, item);
      } else if (j.contains("topology")) {
        set_topology(read_topology(item));
      } else if (j.contains("schedule")) {
        record_schedule(item.at(0), item.at(1), read_schedule(item));
      } else if (j.contains("calibration")) {
        set_calibration(item.at(0), item.at(1));
      } else {
        add_facts(read_facts(j.at("device")));
      }
    } catch (const std::exception& e) {
      throw Error("journal '" + path + "', line " + std::to_string(line) + ": " + e.what() +
                  "; remove this line to keep the rest");
    }
    at = end + 1;
  }
}

Profile Profile::load(const std::string& path) {
  Profile profile({}, Precision::fp32);
  const std::string journal = journal_path(path);
  if (exists(path) || !exists(journal)) profile.read_file_text(path, read_file(path));
  if (exists(journal)) profile.read_journal(journal, read_file(journal));
  if (profile.device_.name.empty()) throw Error("profile '" + path + "' does not name a device");
  return profile;
}

Profile Profile::open(const std::string& path, const DeviceFacts& device, Precision precision) {
  // Lock first, to see everything that another process has journaled.
  auto journal = std::make_unique<LineJournal>(journal_path(path));
  Profile profile(device, precision);
  if (exists(path) || !journal->empty()) {
    profile = load(path);
    try {
      profile.require_precision(precision);
      profile.add_facts(device);
    } catch (const Error& e) {
      throw Error("profile '" + path + "': " + e.what());
    }
  }
  profile.journal_ = std::move(journal);
  return profile;
}

void Profile::log(const std::function<std::string()>& line) {
  if (!journal_) return;
  if (journal_->empty()) journal_->append(profile_text::header_line(device_, precision_));
  journal_->append(line());
}

}  // namespace opsched

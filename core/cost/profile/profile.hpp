// The profile: what was measured on one type of device in one precision, kept between runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/cost/profile/transfer_table.hpp"
#include "core/cost/topology.hpp"
#include "core/graph/image_size.hpp"
#include "core/precision.hpp"

namespace opsched {

/// Where a profile comes from. After a merge a version may be a list, separated by ", ".
struct DeviceFacts {
  std::string name;            ///< "NVIDIA H200"
  int compute_capability = 0;  ///< 90
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0, l2_bytes = 0;
  std::string driver, cuda, cudnn;  ///< versions
  std::string kernels;              ///< version of ours, with a tag if `opsched tune` refined them; may be empty
  int sm_clock_min_mhz = 0, sm_clock_max_mhz = 0;  ///< seen while measuring; 0: unknown
  int memory_clock_min_mhz = 0, memory_clock_max_mhz = 0;
  bool operator==(const DeviceFacts&) const = default;
};

/// Origin of a schedule, by which schedules are grouped and shown (not by their keys).
struct ScheduleOrigin {
  std::string network;    ///< name of the graph
  std::string scheduler;  ///< its name; "search": a schedule that a scheduler compared with others
  std::map<std::string, std::string> options{};  ///< of the scheduler
  int batch = 1;
  ImageSize image{};  ///< of the graph's first input
  int gpus = 1;
  auto operator<=>(const ScheduleOrigin&) const = default;
};

/// A whole schedule that was measured. Keys are signature.hpp's fingerprints.
struct ScheduleRecord {
  ProfileEntry record;
  ScheduleOrigin origin;
  std::string schedule;  ///< the schedule itself, as core/schedule/schedule_text.hpp writes it; may be empty
  bool operator==(const ScheduleRecord&) const = default;
};

class LineJournal;

/// Measured latencies by signature (signature.hpp). A record never gets worse: of two under one key
/// the one with the smaller mad_ratio stays, then the one of more runs, then the smaller; so merging is
/// associative and order does not matter. Not thread-safe.
///
///   auto profile = Profile::open(path, facts, precision);   // new or existing; journals from now on
///   if (!profile.find_stage(key)) profile.record_stage(key, {ms, mad_ratio, runs});  // safe from kill -9
///   profile.save(path);                                      // compact file, journal emptied
class Profile {
 public:
  Profile(DeviceFacts device, Precision precision);
  Profile(Profile&&) noexcept;
  Profile& operator=(Profile&&) noexcept;
  ~Profile();

  /// Reads a profile and what its journal (PATH.journal) adds; either may be missing, not both.
  /// Throws Error naming the file: unreadable, truncated, a format version other than 2, garbage (with the
  /// line of the journal). A truncated last line of a journal is what kill -9 leaves: ignored.
  static Profile load(const std::string& path);
  /// Loads or begins a profile for this device and precision, and attaches its journal. Throws Error
  /// as load() and require() do, and where another process is writing this profile.
  static Profile open(const std::string& path, const DeviceFacts& device, Precision precision);
  /// Writes the file atomically; then empties the journal, if it is the one attached.
  void save(const std::string& path);

  const DeviceFacts& device() const { return device_; }
  Precision precision() const { return precision_; }
  /// Adds versions and clocks that were seen. Throws Error for another device, and where stages or schedules
  /// were measured with other kernels.
  void add_facts(const DeviceFacts& device);
  /// Throws Error unless measured on this device (by name), in this precision.
  void require_device(const std::string& name) const;
  void require_precision(Precision precision) const;

  /// nullptr: never measured. Valid until the next call that records or merges.
  const ProfileEntry* find_stage(const std::string& key) const;
  /// Whether a stage of this kind (stage_kind.hpp) was measured.
  bool holds_kind(std::uint64_t kind) const { return kinds_.contains(kind); }
  void record_stage(const std::string& key, const ProfileEntry& record);
  const std::unordered_map<std::string, ProfileEntry>& stages() const { return stages_; }

  void record_transfer(int from, int to, std::int64_t bytes, const ProfileEntry& record,
                       LinkKind kind = LinkKind::local);
  /// Measured over links of this kind.
  const Transfers& transfers(LinkKind kind = LinkKind::local) const;
  /// Are any measured, over links of whatever kind?
  bool has_transfers() const { return !transfers_.empty(); }
  /// Over the link that joins these devices in topology(): what is stated for its kind, or what transfer_latency finds
  /// among the kind's measurements. Throws Error where there are none.
  double transfer_ms(int from, int to, std::int64_t bytes) const;
  /// As Latencies::link_class: pairs that were measured each have one of their own, those of one kind that were not
  /// one.
  std::int64_t link_class(int from, int to) const;

  /// How the devices are joined that schedules() were measured on, and that others are searched for.
  const Topology& topology() const { return topology_; }
  /// Of devices that are to be measured. Throws Error where schedules of several devices were measured on others.
  void set_topology(const Topology& topology);
  /// Sees the device as if it were joined with others in this way, of which nothing is measured: schedules that would
  /// cross other links than when they were measured are forgotten. For a profile that is not written.
  void assume(const Topology& topology);

  const ScheduleRecord* find_schedule(const std::string& graph, const std::string& schedule) const;
  void record_schedule(const std::string& graph, const std::string& schedule, const ScheduleRecord& record);
  /// By (fingerprint of the graph, fingerprint of the schedule).
  const std::map<std::pair<std::string, std::string>, ScheduleRecord>& schedules() const { return schedules_; }

  /// Named numbers that were calibrated on this device, e.g. by contention.hpp; a name's last one stays.
  const std::map<std::string, double>& calibration() const { return calibration_; }
  void set_calibration(const std::string& name, double value);

  /// Takes over everything of a profile of the same device, precision and topology. Throws Error otherwise.
  void merge(const Profile& other);

 private:
  void read_file_text(const std::string& path, const std::string& text);
  void read_journal(const std::string& path, const std::string& text);
  void log(const std::string& line);

  DeviceFacts device_;
  Precision precision_;
  std::unordered_map<std::string, ProfileEntry> stages_;
  std::unordered_set<std::uint64_t> kinds_;  ///< of stages_
  std::map<LinkKind, Transfers> transfers_;
  Topology topology_;
  std::map<std::pair<std::string, std::string>, ScheduleRecord> schedules_;
  std::map<std::string, double> calibration_;
  std::unique_ptr<LineJournal> journal_;
};

}  // namespace opsched

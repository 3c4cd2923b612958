// The profile: measurements on one device type in one precision, stored between runs.
#pragma once

#include <cstdint>
#include <functional>
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

/// Origin of a profile. After a merge a version may be a list, separated by ", ".
struct DeviceFacts {
  std::string name;            ///< "NVIDIA H200"
  int compute_capability = 0;  ///< 90
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0, l2_bytes = 0;
  std::string driver, cuda, cudnn;  ///< versions
  std::string kernels;              ///< our kernel version, with a tag if `opsched tune` changed choices; may be empty
  int sm_clock_min_mhz = 0, sm_clock_max_mhz = 0;  ///< observed while measuring; 0: unknown
  int memory_clock_min_mhz = 0, memory_clock_max_mhz = 0;
  bool operator==(const DeviceFacts&) const = default;
};

/// The scheduler of a schedule that another one only compared with others.
inline constexpr const char* kCandidate = "search";

/// Origin of a schedule, used to group and show schedules (not part of their keys).
struct ScheduleOrigin {
  std::string network;                           ///< name of the graph
  std::string scheduler;                         ///< its name, or kCandidate
  std::map<std::string, std::string> options{};  ///< of the scheduler
  int batch = 1;
  ImageSize image{};  ///< of the graph's first input
  int gpus = 1;
  auto operator<=>(const ScheduleOrigin&) const = default;
};

/// A whole schedule that was measured, keyed by the fingerprints in signature.hpp.
struct ScheduleRecord {
  ProfileEntry record;
  ScheduleOrigin origin;
  std::string schedule;  ///< the schedule as written by core/schedule/schedule_text.hpp; may be empty
  bool operator==(const ScheduleRecord&) const = default;
};

class LineJournal;

/// Measured latencies by signature (signature.hpp). Entries never get worse: of two with the same key, the one with
/// the smaller mad_ratio is kept, then the one with more runs, then the smaller one. Merging is therefore
/// associative and commutative. Not thread-safe.
///
///   auto profile = Profile::open(path, facts, precision);   // new or existing; journals from now on
///   if (!profile.find_stage(key)) profile.record_stage(key, {ms, mad_ratio, runs});  // survives kill -9
///   profile.save(path);                                      // compact file, journal emptied
class Profile {
 public:
  Profile(DeviceFacts device, Precision precision);
  Profile(Profile&&) noexcept;
  Profile& operator=(Profile&&) noexcept;
  ~Profile();

  /// Reads a profile and its journal (PATH.journal); one of the two may be missing. Throws Error naming the file if it
  /// is unreadable, truncated, has a format version other than 2, or is invalid (with the line of the journal). A
  /// truncated last line of a journal, as left by kill -9, is ignored.
  static Profile load(const std::string& path);
  /// Loads or creates a profile for this device and precision, and attaches its journal. Throws Error as load() and
  /// require() do, and if another process is writing this profile.
  static Profile open(const std::string& path, const DeviceFacts& device, Precision precision);
  /// Writes the file atomically, then empties the journal if it belongs to this file.
  void save(const std::string& path);

  const DeviceFacts& device() const { return device_; }
  Precision precision() const { return precision_; }
  /// Adds versions and observed clocks. Throws Error for another device, or if stages or schedules were measured with
  /// other kernels.
  void add_facts(const DeviceFacts& device);
  /// Throws Error unless it was measured on this device (by name) in this precision.
  void require_device(const std::string& name) const;
  void require_precision(Precision precision) const;

  /// nullptr if not measured. Valid until the next call that records or merges.
  const ProfileEntry* find_stage(const std::string& key) const;
  /// Whether a stage of this kind (stage_kind.hpp) was measured.
  bool holds_kind(std::uint64_t kind) const { return kinds_.contains(kind); }
  void record_stage(const std::string& key, const ProfileEntry& record);
  const std::unordered_map<std::string, ProfileEntry>& stages() const { return stages_; }

  void record_transfer(int from, int to, std::int64_t bytes, const ProfileEntry& record,
                       LinkKind kind = LinkKind::local);
  /// Transfers measured over links of this kind.
  const Transfers& transfers(LinkKind kind = LinkKind::local) const;
  /// Are any transfers measured, over any kind of link?
  bool has_transfers() const { return !transfers_.empty(); }
  /// Latency over the link between these devices in topology(): the stated one, or transfer_latency of the
  /// measurements of that kind. Throws Error if there are none.
  double transfer_ms(int from, int to, std::int64_t bytes) const;
  /// As Latencies::link_class: each measured pair has its own class, and unmeasured pairs of one kind share one.
  std::int64_t link_class(int from, int to) const;

  /// How the devices were connected when schedules() were measured, and for which new schedules are searched.
  const Topology& topology() const { return topology_; }
  /// Sets the topology of devices to be measured. Throws Error if schedules of several devices were measured on
  /// another one.
  void set_topology(const Topology& topology);
  /// Treats the device as if it were connected in this way, without measurements: removes schedules that would use
  /// other links than when they were measured. For a profile that is not written.
  void assume(const Topology& topology);

  const ScheduleRecord* find_schedule(const std::string& graph, const std::string& schedule) const;
  void record_schedule(const std::string& graph, const std::string& schedule, const ScheduleRecord& record);
  /// By (fingerprint of the graph, fingerprint of the schedule).
  const std::map<std::pair<std::string, std::string>, ScheduleRecord>& schedules() const { return schedules_; }

  /// Named numbers calibrated on this device, for example by contention.hpp; the last value of a name is kept.
  const std::map<std::string, double>& calibration() const { return calibration_; }
  void set_calibration(const std::string& name, double value);

  /// Adds everything from a profile of the same device, precision and topology. Throws Error otherwise.
  void merge(const Profile& other);

 private:
  void read_file_text(const std::string& path, const std::string& text);
  void read_journal(const std::string& path, const std::string& text);
  /// Appends what `line` returns to the journal, if there is one.
  void log(const std::function<std::string()>& line);

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

/// What distinguishes the links of devices in several processes: topology, and times between processes and hosts. Empty
/// if all devices belong to one process.
std::string links_key(const Profile& profile);

}  // namespace opsched

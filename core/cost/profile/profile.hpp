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

/// One measured latency. Numbers are rounded to what the file holds (5 digits) when recorded.
struct ProfileEntry {
  double ms = 0;
  double mad_ratio = 0;  ///< median absolute deviation over the median
  int runs = 0;
  bool operator==(const ProfileEntry&) const = default;
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

  void record_transfer(int from, int to, std::int64_t bytes, const ProfileEntry& record);
  /// By (from, to, bytes).
  const std::map<std::tuple<int, int, std::int64_t>, ProfileEntry>& transfers() const { return transfers_; }
  /// Interpolated between the measured sizes of the pair, beyond them by the bandwidth at the end;
  /// a pair that was never measured: the median over those that were. Throws Error if there is none.
  double transfer_ms(int from, int to, std::int64_t bytes) const;
  bool link_measured(int from, int to) const;
  /// Whether transfer_ms is the same for every pair: at most one was measured.
  bool uniform_links() const;

  const ScheduleRecord* find_schedule(const std::string& graph, const std::string& schedule) const;
  void record_schedule(const std::string& graph, const std::string& schedule, const ScheduleRecord& record);
  /// By (fingerprint of the graph, fingerprint of the schedule).
  const std::map<std::pair<std::string, std::string>, ScheduleRecord>& schedules() const { return schedules_; }

  /// Named numbers that were calibrated on this device, e.g. by contention.hpp; a name's last one stays.
  const std::map<std::string, double>& calibration() const { return calibration_; }
  void set_calibration(const std::string& name, double value);

  /// Takes over everything of a profile of the same device and precision. Throws Error otherwise.
  void merge(const Profile& other);

 private:
  void read_file_text(const std::string& path, const std::string& text);
  void read_journal(const std::string& path, const std::string& text);
  void log(const std::string& line);

  DeviceFacts device_;
  Precision precision_;
  std::unordered_map<std::string, ProfileEntry> stages_;
  std::unordered_set<std::uint64_t> kinds_;  ///< of stages_
  std::map<std::tuple<int, int, std::int64_t>, ProfileEntry> transfers_;
  std::map<std::pair<std::string, std::string>, ScheduleRecord> schedules_;
  std::map<std::string, double> calibration_;
  std::unique_ptr<LineJournal> journal_;
};

}  // namespace opsched

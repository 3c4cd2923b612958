// The valid records of a folder.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/records/record.hpp"

namespace opsched::records {

/// FOLDER/records.jsonl
std::string records_file(const std::string& folder);

/// The content of a records file. Of several records with one key (Record::key) the last one is valid, unless it is
/// weaker than an earlier one (may_replace) and does not request to replace it, or has no value.
class Records {
 public:
  /// No file: no records. Throws Error for a file that is not ours. A line that cannot be read is skipped, with a
  /// warning.
  static Records read(const std::string& folder);

  /// The valid record of each key, in the order in which the keys first occur.
  std::vector<const Record*> standing() const;
  /// nullptr: no record with this key.
  const Record* find(const std::string& key) const;
  const Record* find(const Case& what) const { return find(Record{.what = what}.key()); }
  /// Every record, in the order of the file.
  const std::vector<Record>& all() const { return all_; }

  const Run& run_of(const Record& record) const;
  /// nullptr: the schedule itself is not stored.
  const ScheduleLine* schedule(const std::string& fingerprint) const;
  const KernelChoices* kernels(const std::string& id) const;
  const std::map<std::string, Run>& runs() const { return runs_; }
  bool ended(const std::string& run) const;

  /// About skipped lines; each names file and line.
  const std::vector<std::string>& warnings() const { return warnings_; }
  bool empty() const { return all_.empty(); }
  /// Whether `now` would replace the valid record of its key.
  bool would_stand(const Record& now) const;

  // As a file grows.
  void add(Record record);
  void add(Run run);
  void add(ScheduleLine schedule);
  void add(KernelsLine kernels);
  void add(EndLine end);

 private:
  std::vector<Record> all_;
  std::vector<std::string> keys_;                        ///< in the order in which they came
  std::unordered_map<std::string, std::size_t> stands_;  ///< key -> index into all_
  std::map<std::string, Run> runs_;
  std::map<std::string, bool> ended_;
  std::unordered_map<std::string, ScheduleLine> schedules_;
  std::unordered_map<std::string, KernelChoices> kernels_;
  std::vector<std::string> warnings_;
};

/// May stand in one comparison without a mark: same kind of device and version of our kernels. Other software has no
/// kernels of ours, and what was not measured has no device. (analysis/opsched/records.py: the same.)
bool comparable(const Run& a, const Run& b);

}  // namespace opsched::records

// Writes records: lines are appended and never changed.
#pragma once

#include <string>

#include "core/cost/profile/journal.hpp"
#include "core/graph/graph.hpp"
#include "core/schedule/schedule.hpp"
#include "experiments/records/records.hpp"

namespace opsched::records {

/// The file FOLDER/records.jsonl, open in one process at a time. A kill loses at most the line being written. An
/// interrupted run continues when the same command runs on the same device with the same versions.
class RecordFile {
 public:
  enum class Start { continued, anew };

  /// Reads what is there. Start::anew: an unfinished run is not continued. Throws Error where the folder cannot be
  /// written, another process writes the file, it is none of ours, or it holds measurements of another device.
  RecordFile(const std::string& folder, Run run, Start start = Start::continued);

  /// All records: those that were there, and those added since.
  const Records& records() const { return records_; }
  const Run& run() const { return run_; }
  const std::string& folder() const { return folder_; }
  /// Number of records of an interrupted run that this one continues.
  int resumed() const { return resumed_; }
  /// The record of this key that this run (or the part that it continues) made; nullptr: none yet.
  const Record* made(const std::string& key) const;
  /// Number of measurements of other versions (driver, libraries, kernels) in the file.
  int of_other_versions() const;

  /// Adds a record of this run. Returns false if nothing was written, because a stronger one (Records::would_stand) or
  /// an equal one exists. Throws Error if it cannot be written.
  bool add(Record record);
  /// The same, with the schedule that it is of (record.schedule, record.graph) and the kernels that ran.
  bool add(Record record, const Schedule& schedule, const KernelChoices& kernels = {});
  /// The same of a record of other records, with what they have of its schedule and kernels.
  bool add(Record record, const Records& from);
  /// The run is complete.
  void finish();

 private:
  void begin();
  template <class What>
  void append(What what);
  /// Unless they are there.
  void keep_parts(const Record& record, const ScheduleLine* schedule, const KernelChoices* kernels);

  std::string folder_;
  Records records_;
  LineJournal file_;
  Run run_;
  bool begun_ = false;
  int resumed_ = 0;
};

}  // namespace opsched::records

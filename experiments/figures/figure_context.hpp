// What figures are made with.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/records/record_file.hpp"

namespace opsched::figures {

/// What is at hand, before anything is run.
struct FigureSettings {
  std::string results;                    ///< folder of the device's results: results/h200
  bool measures = false;                  ///< is there a GPU?
  bool fresh = false;                     ///< make anew what is there
  int gpus = 1;                           ///< that may be used
  Precision precision = Precision::fp32;  ///< the papers'

  /// Can this be measured here?
  bool measurable(const records::Case& what) const { return measures && what.gpus <= gpus; }
};

/// Folders of results of the same type of device beside settings.results, it included, with their number of
/// GPUs: {1, "h200"}, {2, "h200-x2"}. Ascending.
std::vector<std::pair<int, std::string>> sibling_folders(const FigureSettings& settings);
/// Number of GPUs of the results folder itself, and its name.
std::pair<int, std::string> own_folder(const FigureSettings& settings);

class FigureContext {
 public:
  /// All must outlive it. `file`: the records of settings.results.
  FigureContext(Device& device, const bench::ScheduleStore& store, MeasureOptions options, FigureSettings settings,
                records::RecordFile& file, Report report);

  const FigureSettings& settings() const { return settings_; }
  Device& device() { return device_; }
  bench::Runner& runner() { return runner_; }
  records::RecordFile& file() { return file_; }
  void report(const std::string& text) const { report_(text); }

  /// Of a folder beside the results folder; empty: of that itself. Valid until forget() of it.
  const records::Records& records(const std::string& folder);
  /// The folder's file has grown.
  void forget(const std::string& folder) { siblings_.erase(folder); }
  std::string path(const std::string& folder) const;

  /// Is this what a figure shows, or is it to be made (again)? On a GPU that can measure it: only what this device
  /// measured with these versions. With settings.fresh: what this run made, and what it cannot replace.
  bool stands(const records::Record& record) const;
  /// The schedule that the case's record is of, where that stands and keeps it; else the one that is found. So all that
  /// figures say of a schedule is of the one whose latency is on record.
  bench::Found schedule(const records::Case& what);
  /// Keeps it. Of a replay, the time of the search says nothing about one that measures, and is left out.
  void add(bench::Timed timed);

 private:
  Device& device_;
  FigureSettings settings_;
  records::RecordFile& file_;
  Report report_;
  bench::Runner runner_;
  std::map<std::string, records::Records> siblings_;
};

}  // namespace opsched::figures

// Figures of the papers, and the list of them. A new figure is a function that returns a Figure, in a separate file or
// next to similar ones, one line in registry.cpp, and one file in analysis/opsched/plots/ that draws it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiments/bench/runner.hpp"
#include "experiments/records/record_file.hpp"

namespace opsched::figures {

/// Settings and available data, before anything runs.
struct FigureSettings {
  std::string results;                    ///< folder of the device's results: results/h200
  std::string device{};                   ///< its type: "NVIDIA H200"
  bool measures = false;                  ///< is there a GPU?
  bool fresh = false;                     ///< make existing records again
  int gpus = 1;                           ///< that may be used
  Precision precision = Precision::fp32;  ///< the papers'
  /// The user's own, beside those of the papers where all networks, or schedulers, are compared.
  std::vector<std::string> networks{}, schedulers{};
  std::map<std::string, std::string> files{};  ///< graph files by name (bench::graph_files)

  /// Can this be measured here?
  bool measurable(const records::Case& what) const { return measures && what.gpus <= gpus; }
};

/// Folders of results of the same type of device beside settings.results, it included, with their number of
/// GPUs: {1, "h200"}, {2, "h200-x2"}. Ascending.
std::vector<std::pair<int, std::string>> sibling_folders(const FigureSettings& settings);
/// Number of GPUs of the results folder itself, and its name.
std::pair<int, std::string> own_folder(const FigureSettings& settings);

/// What is needed to make figures.
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
  /// Call when the folder's file has grown.
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

/// Records that a figure shows and that are made together. Items of several figures with the same name are one item.
struct Item {
  std::string name;               ///< what it is, for users
  std::vector<std::string> keys;  ///< of the records (Record::key); all of them are needed
  /// Instead of keys: whatever there is of these, at least one.
  std::function<bool(const records::Record&)> select{};
  std::string folder{};                         ///< that holds them, beside the results folder; empty: that itself
  std::map<std::string, std::string> labels{};  ///< that the figure adds
  double seconds = 0.2;                         ///< about what making them takes on an H200, for the time left
  /// Adds the records to the context's file; may throw Error with the reason why there are none. Empty: they cannot be
  /// made here, and `why` says how to make them.
  std::function<void(FigureContext&)> make{};
  std::string why{};
};

struct Figure {
  std::string name;   ///< as in commands and file names
  std::string title;  ///< one line
  std::string paper;  ///< "IOS: pruning"; empty: not from a paper
  std::function<std::vector<Item>(const FigureSettings&)> items;
};

/// HIOS's simulation studies and ours, a figure each, sim_gpus, sim_operators, ...: what results/simulation holds, or
/// what `opsched simulate` would put there.
std::vector<Figure> simulation_figures();

/// All figures, in the order in which they are made and shown.
const std::vector<Figure>& figures();

/// IOS's networks. The paper's RandWire is an instance of its own (randwire-paper); ours is shown beside it.
const std::vector<std::string>& ios_networks();

/// The latency of a scheduler's schedule: the item that most figures are made of. Measured where there are that many
/// GPUs, else replayed, unless `only_measured`; a network that the paper's numbers stand beside is never replayed.
Item latency_item(const records::Case& what, bool only_measured = false);

}  // namespace opsched::figures

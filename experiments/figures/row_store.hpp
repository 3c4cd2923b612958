// Rows on disk: what was gathered is kept, from run to run and through an interruption.
#pragma once

#include <map>
#include <string>

#include "core/cost/profile/journal.hpp"
#include "experiments/figures/row.hpp"

namespace opsched::figures {

/// The folder of a device's figures: FIGURE.json and FIGURE.csv, and rows.journal while a run is not
/// finished. One process at a time.
class RowStore {
 public:
  /// Reads what is worth keeping: measured rows, if `source` (Device::describe) measures only those that it
  /// measured itself, and all rows of an interrupted run of the same source. `fresh`: keeps nothing.
  /// Throws Error for a file that is no figure of this version, and where the folder cannot be written.
  RowStore(std::string folder, std::string source, bool measures, bool fresh);

  /// nullptr: to be gathered. Valid until the next call of add().
  const ItemRows* find(const std::string& item) const;
  /// Keeps an item's rows. Rows that were skipped are not kept beyond this run.
  void add(ItemRows item);
  /// Writes FIGURE.json and FIGURE.csv, unless they hold the same rows already.
  void write(const FigureData& data) const;
  /// All is done: drops the journal.
  void finish() { journal_.clear(); }

  /// Items of an interrupted run that this one continues.
  int resumed() const { return resumed_; }
  std::string path(const std::string& file) const { return folder_ + "/" + file; }

 private:
  void keep(ItemRows item);
  void read_journal(const std::string& source);

  std::string folder_;
  LineJournal journal_;
  std::map<std::string, ItemRows> items_;
  std::map<std::string, FigureData> written_;  ///< by figure
  int resumed_ = 0;
};

/// The figures that a folder holds, by name. Throws Error for a file that is no figure of this version.
std::map<std::string, FigureData> read_figures(const std::string& folder);

}  // namespace opsched::figures

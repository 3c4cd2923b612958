// Which records each figure shows: figures/index.json of a results folder. Keys only; the numbers are in the records.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/records/records.hpp"

namespace opsched::figures {

struct IndexRecord {
  std::string key, folder{};                    ///< folder: beside the results folder; empty: that itself
  std::map<std::string, std::string> labels{};  ///< that the figure adds
};

struct IndexGap {
  std::string key, what{};  ///< of the record, or words for records that are known by no key
  std::string why;
};

/// A figure as it was made.
struct IndexFigure {
  std::string name, title, paper;
  std::vector<IndexRecord> records{};
  std::vector<IndexGap> missing{};
};

/// None: no figure was made. Throws Error naming the file for what is no index of this version.
std::vector<IndexFigure> read_index(const std::string& file);
/// Leaves a file alone that says the same.
void write_index(const std::string& file, const std::vector<IndexFigure>& figures);

/// Where a figure stands, in a word (measured, recorded, replayed, synthetic, exact, partial, not possible), and why
/// it is not further. `find` gives the record; nullptr: it is gone.
struct State {
  std::string word, why;
};
State state_of(const IndexFigure& figure, const std::function<const records::Record*(const IndexRecord&)>& find);

}  // namespace opsched::figures

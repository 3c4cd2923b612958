// One number of a figure, with what it took to get it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/records/results.hpp"

namespace opsched::figures {

/// `result` holds what was run and its latency; what a figure adds stands in labels and numbers.
/// result.how is "measured" (on a GPU, by this program), "recorded" (measured earlier, read from a
/// file), "simulated" (replayed from a profile), "synthetic" (made-up costs) or "exact" (counted).
struct Row {
  bench::Result result;
  std::map<std::string, std::string> labels;  ///< what tells rows of one case apart: {"optimised_for": "32"}
  std::map<std::string, double> numbers;      ///< further values; their names say the unit: {"begin_ms": 0.1}
  std::string source;                         ///< device and versions, or the file it was read from
  bool operator==(const Row&) const = default;
};

/// What a figure's item gave; rows of several figures may come from one item.
struct ItemRows {
  std::string item;
  std::vector<Row> rows;
  bool operator==(const ItemRows&) const = default;
};

/// Everything that a figure shows.
struct FigureData {
  std::string figure, title, paper;
  std::string command;  ///< that made it
  std::uint64_t seed = 1;
  std::vector<ItemRows> items;
};

/// Where a figure stands, in a word, and why it is not further.
struct State {
  std::string word;  ///< measured, recorded, replayed, synthetic, exact, partial, not possible
  std::string why;
};
State state_of(const std::vector<ItemRows>& items);

/// One row on one line, as the journal keeps it.
std::string to_line(const ItemRows& item);
/// Throws Error beginning with `where`.
ItemRows item_from_line(const std::string& line, const std::string& where);

std::string to_json(const FigureData& data);
/// Throws Error naming the file for what is no figure of this version.
FigureData figure_from_json(const std::string& text, const std::string& file);
/// A line a row, with a line of names above.
std::string to_csv(const FigureData& data);

}  // namespace opsched::figures

// Makes figures: makes missing records, and determines which records each figure shows.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

// Which records each figure shows: figures/index.json of a results folder. Keys only; the numbers are in the records.

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

/// None if no figure was made. Throws Error naming the file if it is not an index of this version.
std::vector<IndexFigure> read_index(const std::string& file);
/// Does not touch a file with the same content.
void write_index(const std::string& file, const std::vector<IndexFigure>& figures);

/// The status of a figure in a word (measured, recorded, replayed, synthetic, exact, partial, not possible), and what
/// is missing. `find` returns a record; nullptr: it is gone.
struct State {
  std::string word, why;
};
State state_of(const IndexFigure& figure, const std::function<const records::Record*(const IndexRecord&)>& find);

/// The named figures; empty or "all": all. Throws Error listing the known names.
std::vector<Figure> chosen_figures(const std::vector<std::string>& names);

/// What remains to be done, told before every item and while it runs.
struct Work {
  int done = 0, items = 0;  ///< items that are to be made in this run
  double expected_seconds = 0, expected_seconds_done = 0;
};

/// Makes the missing records, figure by figure, and returns what each shows. What cannot be made is a gap with a
/// reason. Passes on what the context's report throws; records made until then are kept.
std::vector<IndexFigure> gather(FigureContext& context, const std::vector<Figure>& figures, Work& work);

/// RESULTS/figures, and the index in it.
std::string figures_folder(const std::string& results);
std::string index_file(const std::string& results);
/// All figures in their order: those of `made`, others as the index of the results folder has them.
std::vector<IndexFigure> merged(const std::string& results, const std::vector<IndexFigure>& made);

/// The formats of pictures that draw() knows.
std::vector<std::string> picture_formats();
/// Draws the figures (FIGURE.png, ...) of the folder's index with analysis/figures.py of the project's source, in these
/// formats, and writes their numbers and pages (FIGURE.csv, FIGURE.md, README.md). No formats: no pictures. What shows
/// the same numbers as before is not drawn again. Throws Error where Python or matplotlib is missing, or where it
/// fails.
void draw(const std::string& folder, const std::vector<std::string>& names, const std::vector<std::string>& formats);

/// The status of every figure. For a figure that was never made: "not made".
struct Standing {
  std::string name, title;
  State state;
};
std::vector<Standing> standings(const std::string& results);

}  // namespace opsched::figures

// Text tables, text in lines, and numbers as text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace opsched {

enum class Align { left, right };

/// Output fits into this many terminal columns, except for longer single words.
inline constexpr std::size_t kTextWidth = 100;

/// Broken at spaces, so that no line is wider unless a word is; every line but the first begins with `indent`. Line
/// breaks of the text stay; a line that begins with spaces goes on behind as many.
std::string wrapped(const std::string& text, const std::string& indent = "", std::size_t width = kTextWidth);

/// Columns are padded to their widest cell. Where rows are wider than kTextWidth, cells are broken at spaces into
/// several lines: first the widest of the columns that are aligned left, then the heads of others; then
/// columns move together, and all cells are broken.
class TextTable {
 public:
  /// Columns beyond those given are aligned like the last.
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}
  /// With a head, and a rule below it.
  TextTable(std::vector<Align> columns, std::vector<std::string> head) : columns_(std::move(columns)), head_(true) {
    add(std::move(head));
    add_rule();
  }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// A line between the rows before and after.
  void add_rule() { rows_.emplace_back(); }
  std::string text(const std::string& indent = "") const;

 private:
  using Rows = std::vector<std::vector<std::string>>;
  struct Layout {
    std::vector<std::size_t> width{};  ///< of each column
    std::size_t gap = 2;               ///< between columns
    std::size_t total() const;
  };
  /// In lines of at most `room`.
  Layout layout(const Rows& rows, std::size_t room) const;
  /// Of a column: how narrow it may become. `break_all`: cells of all columns are broken, not only those on the left.
  std::size_t least_width(const Rows& rows, std::size_t column, bool break_all) const;
  std::string line(const std::vector<std::string>& cells, const Layout& layout) const;
  Align align(std::size_t column) const { return columns_[std::min(column, columns_.size() - 1)]; }

  std::vector<Align> columns_;
  bool head_ = false;                           ///< is the first row one?
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

/// Fixed-point, with `digits` digits after the point.
std::string fixed(double value, int digits);
/// Rounded to `digits` significant digits: 0.8, 200, 1.5e-05.
std::string significant(double value, int digits);
/// "1 device", "2 devices".
std::string counted(std::size_t count, const std::string& what);
/// 1234 -> "1.2 KB", in powers of 1000.
std::string human_bytes(double bytes);
/// 93 -> "1 m 33 s".
std::string human_seconds(double seconds);

}  // namespace opsched
